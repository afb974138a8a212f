"""When somebody gets a campaign, and why not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from apps.campaigns.planner import Due, Facts, Rules, Suppressed, plan
from apps.messaging.states import Reason

NOON = datetime(2026, 5, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANN = Facts("de-AT", "Europe/Vienna")


def test_somebody_is_due_at_the_campaigns_time_in_their_language() -> None:
    rules = Rules(NOON, None, ("en", "de"), "en")
    assert plan(ANN, rules, now=NOON - HOUR) == Due(NOON, "de")


def test_nothing_is_due_before_it_is_planned() -> None:
    rules = Rules(NOON, None, ("en",), "en")
    assert plan(ANN, rules, now=NOON + HOUR) == Due(NOON + HOUR, "en")


def test_what_expires_before_it_is_due_is_suppressed() -> None:
    rules = Rules(NOON, NOON + HOUR, ("en",), "en")
    assert plan(ANN, rules, now=NOON + HOUR) == Suppressed(Reason.EXPIRED)
    assert plan(ANN, rules, now=NOON + HOUR - timedelta(microseconds=1)) == Due(
        NOON + HOUR - timedelta(microseconds=1), "en"
    )
