"""The fuse blows on mass rejection and on nothing less."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import redis

from apps.core import valkey
from apps.providers.base import Outcome, Result, Scope
from apps.providers.fuse import ENOUGH, Counted, count, is_blown, refusals_in

NOW = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)
NOTHING = Counted(0, 0)


@pytest.mark.parametrize(
    ("window", "usual", "blown"),
    [
        (Counted(ENOUGH - 1, ENOUGH - 1), NOTHING, False),
        (Counted(ENOUGH, ENOUGH), NOTHING, True),
        (Counted(1_000, 200), NOTHING, False),
        (Counted(1_000, 201), NOTHING, True),
        (Counted(1_000, 201), Counted(10_000, 510), False),
        (Counted(1_000, 390), Counted(10_000, 1_000), False),
        (Counted(1_000, 410), Counted(10_000, 1_000), True),
        (Counted(1_000, 1_000), Counted(10_000, 2_500), False),
        (NOTHING, NOTHING, False),
    ],
)
def test_it_takes_enough_attempts_and_far_more_than_usual(window: Counted, usual: Counted, blown: bool) -> None:
    assert is_blown(window, usual) is blown


def test_only_answers_that_would_put_a_device_away_count() -> None:
    outcomes = [
        Outcome("1", Result.ACCEPTED),
        Outcome("2", Result.UNREGISTERED, Scope.DEVICE),
        Outcome("3", Result.REJECTED, Scope.DEVICE),
        Outcome("4", Result.REJECTED, Scope.MESSAGE),
        Outcome("5", Result.REJECTED, Scope.CREDENTIAL),
        Outcome("6", Result.THROTTLED, Scope.DEVICE),
        Outcome("7", Result.UNKNOWN, Scope.PROVIDER),
    ]
    assert refusals_in(outcomes) == Counted(7, 2)


def _count(region: str, batch: Counted, now: datetime, name: str = "pcr_1") -> tuple[Counted, Counted]:
    return count(region=region, name=name, batch=batch, now=now)


@pytest.mark.usefixtures("clean_valkey")
def test_the_window_slides_and_the_days_before_are_the_usual(region: str) -> None:
    _count(region, Counted(100, 10), NOW - timedelta(days=8))
    _count(region, Counted(100, 20), NOW - timedelta(days=7))
    _count(region, Counted(100, 30), NOW - timedelta(days=1))
    _count(region, Counted(50, 5), NOW - timedelta(minutes=10))
    _count(region, Counted(40, 4), NOW - timedelta(minutes=9))
    assert _count(region, Counted(10, 1), NOW) == (Counted(50, 5), Counted(200, 50))
    assert _count(region, Counted(1, 1), NOW, "pcr_2") == (Counted(1, 1), NOTHING)


def test_without_valkey_only_the_batch_is_known(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(region: str) -> redis.Redis:
        raise redis.ConnectionError

    monkeypatch.setattr(valkey, "connect", away)
    assert _count(region, Counted(300, 300), NOW) == (Counted(300, 300), NOTHING)
