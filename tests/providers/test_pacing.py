"""One bucket for all workers, halved by the network's complaint and slowly filled again."""

from __future__ import annotations

import pytest
import redis

from apps.core import valkey
from apps.providers.pacing import Pace

pytestmark = pytest.mark.usefixtures("clean_valkey")


@pytest.fixture
def pace(region: str) -> Pace:
    return Pace(region, "1:shop", per_second=1_000.0, burst=1.0)


def test_a_burst_is_free_and_what_goes_beyond_it_waits(pace: Pace) -> None:
    assert pace.take(900) == 0
    assert 3.0 < pace.take(4_000) <= 4.0
    assert 4.0 < pace.take(500) <= 4.5


def test_another_worker_sees_the_same_bucket_and_another_credential_does_not(pace: Pace, region: str) -> None:
    pace.take(11_000)
    assert Pace(region, "1:shop", 1_000.0).take(1) > 9
    assert Pace(region, "1:other", 1_000.0).take(1) == 0


def test_a_complaint_halves_the_speed_and_makes_all_wait(pace: Pace) -> None:
    pace.slow_down(5.0)
    first = pace.take(1_000)
    assert 6.5 < first <= 7.0  # the five seconds, then 1,000 at 500 a second
    pace.slow_down(0.0)
    assert 3.5 < pace.take(1_000) - first <= 4.1


def test_a_clean_time_gives_the_speed_back(pace: Pace, region: str) -> None:
    pace.slow_down(0.0)
    client = valkey.connect(region)
    client.hset("push:pace:{1:shop}", mapping={"since": float(client.time()[0]) - 100, "due": 0})
    pace.take(0)
    assert float(client.hget("push:pace:{1:shop}", "share") or 0) == 1.0


def test_complaints_never_stop_it_for_good(pace: Pace, region: str) -> None:
    for _ in range(20):
        pace.slow_down(0.0)
    assert float(valkey.connect(region).hget("push:pace:{1:shop}", "share") or 0) == 0.01


def test_without_valkey_nobody_waits(pace: Pace, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(region: str) -> redis.Redis:
        raise redis.ConnectionError

    monkeypatch.setattr(valkey, "connect", away)
    pace.slow_down(100.0)
    assert pace.take(10**9) == 0


def test_after_a_rest_the_speed_rises_over_the_ramp(region: str) -> None:
    """1,000 take 10 s at a tenth of the speed, 2 s at half of it, 1 s at the whole; after a rest a second is free."""
    pace = Pace(region, "1:shop", 1_000.0, ramp=60.0)
    client = valkey.connect(region)

    def wait_after(ramped: float, rested: float = 0.0) -> float:
        seconds, micros = client.time()
        now = seconds + micros / 1e6
        client.hset("push:pace:{1:shop}", mapping={"begun": now - ramped, "due": now - rested})
        return pace.take(1_000)

    assert 8.99 < pace.take(1_000) <= 9.01
    assert 1.0 < wait_after(30) <= 2.01
    assert wait_after(90) <= 1.01
    assert 8.9 < wait_after(90, rested=61) <= 9.01


def test_how_slow_it_is_can_be_asked(pace: Pace) -> None:
    assert pace.share() == 1.0
    pace.slow_down(0.0)
    assert pace.share() == 0.5
