"""What an answer means: delivered, try again and when, give up, or leave the endpoint alone. Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

from apps.webhooks.signing import Signing

_MINUTE, _HOUR = 60.0, 3_600.0
#: Seconds from one attempt to the next. Pusher tries for five minutes; Standard Webhooks for about three days.
SCHEDULES: Mapping[Signing, tuple[float, ...]] = {
    Signing.PUSHER: (5, 10, 20, 40, 80, 140),
    Signing.STANDARD: (
        5, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR,
    ),
}  # fmt: skip
_JITTER = 0.1
_MAX_WAIT = 24 * _HOUR
_GONE = 410
_BUSY = frozenset({429, 502, 503, 504})
#: Failures in a row after which an endpoint gets pauses, and how long the longest of them is, in seconds.
PATIENCE, LONGEST_PAUSE = 3, 60.0


class Outcome(StrEnum):
    """Of one attempt. UNKNOWN: whoever made it died before the answer was recorded."""

    IN_FLIGHT = "in_flight"
    DELIVERED = "delivered"
    REFUSED = "refused"
    BUSY = "busy"
    GONE = "gone"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    ADDRESS_REFUSED = "address_refused"
    NO_KEY = "no_key"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """status: None when no answer came; `outcome` says why then. excerpt: the beginning of the body."""

    outcome: Outcome
    status: int | None = None
    excerpt: str = ""
    retry_after: str = ""
    duration: float = 0.0


def outcome_of(status: int) -> Outcome:
    """Only 2xx is success: a redirect would send signed data to a place that nobody registered."""
    if 200 <= status < 300:
        return Outcome.DELIVERED
    if status == _GONE:
        return Outcome.GONE
    return Outcome.BUSY if status in _BUSY else Outcome.REFUSED


def retry_in(signing: Signing, tries: int, answer: Answer, *, now: datetime) -> float | None:
    """Seconds until the next attempt; None when the last was made. tries: attempts of this round so far."""
    schedule = SCHEDULES.get(signing, SCHEDULES[Signing.STANDARD])
    if tries > len(schedule):
        return None
    planned = schedule[tries - 1] * random.uniform(1, 1 + _JITTER)  # noqa: S311  # spreads load, hides nothing
    return max(planned, min(wanted_pause(answer, now=now), sum(schedule), _MAX_WAIT))


def wanted_pause(answer: Answer, *, now: datetime) -> float:
    """Retry-After in seconds: a number or a date. 0 when there is none that can be read."""
    text = answer.retry_after.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text[:9]), _MAX_WAIT)
    try:
        at = parsedate_to_datetime(text)
        return min(max(0.0, (at - now).total_seconds()), _MAX_WAIT)
    except (TypeError, ValueError):
        return 0.0


def pause_of_endpoint(answer: Answer, failures: int, *, now: datetime) -> float:
    """Seconds in which nothing is sent to the endpoint at all. failures: in a row, this one included."""
    asked = wanted_pause(answer, now=now) if answer.outcome is Outcome.BUSY else 0.0
    tired = min(LONGEST_PAUSE, 2.0 ** min(failures, 10)) if failures >= PATIENCE else 0.0
    return max(asked, tired)
