"""What an answer means, without any row."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from apps.webhooks.signing import Signing
from apps.webhooks.verdicts import SCHEDULES, Answer, Outcome, outcome_of, pause_of_endpoint, retry_in, wanted_pause

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REFUSED = Answer(Outcome.REFUSED, 500)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "delivered"), (204, "delivered"), (299, "delivered"), (301, "refused"), (304, "refused"), (400, "refused"),
     (404, "refused"), (410, "gone"), (429, "busy"), (500, "refused"), (502, "busy"), (503, "busy"), (504, "busy")],
)  # fmt: skip
def test_only_2xx_is_success(status: int, outcome: str) -> None:
    assert outcome_of(status) == outcome


@pytest.mark.parametrize("way", [Signing.PUSHER, Signing.STANDARD])
def test_waits_follow_the_schedule_with_a_little_jitter_and_end(way: Signing) -> None:
    for tries, planned in enumerate(SCHEDULES[way], start=1):
        wait_for = retry_in(way, tries, REFUSED, now=NOW)
        assert wait_for is not None
        assert planned <= wait_for <= planned * 1.1
    assert retry_in(way, len(SCHEDULES[way]) + 1, REFUSED, now=NOW) is None


def test_pusher_tries_for_five_minutes_and_the_standard_for_three_days() -> None:
    assert 280 <= sum(SCHEDULES[Signing.PUSHER]) <= 300
    assert 3 * 86_400 <= sum(SCHEDULES[Signing.STANDARD]) <= 3.5 * 86_400


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120), (" 7 ", 7), ("Thu, 01 Jan 2026 00:02:00 GMT", 120), ("Wed, 31 Dec 2025 00:00:00 GMT", 0), ("", 0),
     ("soon", 0), ("-5", 0), ("9" * 400, 86_400), ("Thu, 01 Jan 2026 00:02:00", 0), ("١٢", 0)],
)  # fmt: skip
def test_retry_after_is_read_as_seconds_or_as_a_date(header: str, seconds: float) -> None:
    assert wanted_pause(Answer(Outcome.BUSY, 429, retry_after=header), now=NOW) == seconds


def test_a_retry_after_longer_than_the_schedule_stretches_it_no_further_than_that() -> None:
    wait_for = retry_in(Signing.PUSHER, 1, Answer(Outcome.BUSY, 429, retry_after="86400"), now=NOW)
    assert wait_for == sum(SCHEDULES[Signing.PUSHER])


def test_an_endpoint_gets_longer_pauses_the_more_often_it_fails() -> None:
    assert [pause_of_endpoint(REFUSED, failures, now=NOW) for failures in (1, 2, 3, 4, 9)] == [0, 0, 8, 16, 60]
