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
    pace = Pace(region, "1:shop", 1_000.0, ramp=60.0)
    client = valkey.connect(region)
    assert 8.99 < pace.take(1_000) <= 9.01  # at a tenth of the speed, a second of it free
    client.hset("push:pace:{1:shop}", mapping={"begun": float(client.time()[0]) - 30, "due": float(client.time()[0])})
    assert 1.0 < pace.take(1_000) <= 2.1  # at half of it; whole seconds of the clock are up to one off
    client.hset("push:pace:{1:shop}", mapping={"begun": float(client.time()[0]) - 90, "due": float(client.time()[0])})
    assert 0.0 <= pace.take(1_000) <= 1.1
    client.hset("push:pace:{1:shop}", "due", float(client.time()[0]) - 61)
    assert 8.0 < pace.take(1_000) <= 9.1


def test_how_slow_it_is_can_be_asked(pace: Pace) -> None:
    assert pace.share() == 1.0
    pace.slow_down(0.0)
    assert pace.share() == 0.5
