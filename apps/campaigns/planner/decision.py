"""When and whether somebody gets a campaign, and why not. Pure: no database, no clock, no randomness.

The planner's word depends only on what is given, so a dry run and the send agree by being the same call. In this order:
consent; the wanted instant (of the campaign, of the person's clock, of the person's best hour); quiet hours and the
frequency cap, which only move it forward, until neither does; a slot of the throttle and of the provider's day, after
which they are asked again; expiry. Who is held out of an experiment would have got it otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from apps.campaigns.planner.rules import BestHour, LocalTime, Missed, Rules
from apps.campaigns.planner.slots import DAY, Slots
from apps.messaging.content.languages import choose_language
from apps.messaging.ledger.states import HELD_OUT, UNDECIDED, Reason
from apps.messaging.sending.hours import QuietAction, instant_of, wall_of, zone_of

#: Nobody waits longer for a slot, the end of quiet hours or room under a cap.
HORIZON = timedelta(days=31)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules look at in a person. Few distinct values, so a page of thousands costs a handful of calls.

    refuses: wants nothing at all. refuses_category: wants nothing of this kind. best_hour: of the person's own day,
    None when too little is known. sends: what came and will come to them that the cap counts, sorted; empty below the
    cap. arm: of an experiment: a variant's key, HELD_OUT or UNDECIDED; empty: there is none.
    """

    language: str
    timezone: str
    refuses: bool = False
    refuses_category: bool = False
    best_hour: int | None = None
    sends: tuple[datetime, ...] = ()
    arm: str = ""


@dataclass(frozen=True, slots=True)
class Due:
    """wanted: before anything held it back. expires_at: when it is worth nothing any more. variant: see Facts.arm."""

    due_at: datetime
    language: str
    wanted: datetime
    expires_at: datetime | None = None
    variant: str = ""


@dataclass(frozen=True, slots=True)
class Suppressed:
    """at: when it would have been sent; None where consent or the clock said no before there was such an instant."""

    reason: Reason
    at: datetime | None = None


Decision = Due | Suppressed


def plan(facts: Facts, rules: Rules, *, now: datetime) -> Decision:
    """now: when the run started; nothing is due before it. Throttle and provider quota come after: see `spread`."""
    if facts.refuses:
        return Suppressed(Reason.OPTED_OUT)
    if facts.refuses_category:
        return Suppressed(Reason.PREFERENCE_OFF)
    if facts.arm == UNDECIDED and rules.decide_at is not None:
        now = max(now, rules.decide_at)
    wanted = _wanted(facts, rules, now)
    if wanted is None:
        return Suppressed(Reason.LOCAL_TIME_PASSED)
    language = choose_language(facts.language, rules.default_language, rules.languages)
    expires_at = wanted + rules.ttl if rules.ttl is not None else None
    decision = hold_back(Due(max(wanted, now), language, wanted, expires_at, facts.arm), facts, rules)
    if facts.arm == HELD_OUT and isinstance(decision, Due):
        return Suppressed(Reason.HOLDOUT, decision.due_at)
    return decision


def hold_back(due: Due, facts: Facts, rules: Rules) -> Decision:
    """Moves it behind quiet hours and under the cap, or says why not."""
    at = due.due_at
    while True:
        before = at
        if rules.quiet is not None:
            at = rules.quiet.free_at(at, zone_of(facts.timezone, rules.fallback_timezone))
            if at != before and rules.quiet.action is QuietAction.DROP:
                return Suppressed(Reason.QUIET_HOURS, before)
        if rules.cap is not None and facts.sends:
            free = rules.cap.free_at(at, facts.sends)
            if free != at and rules.cap.action == "skip":
                return Suppressed(Reason.FREQUENCY_CAP, at)
            at = free
        if at == before:
            break
    if (due.expires_at is not None and at >= due.expires_at) or at - due.wanted > HORIZON:
        return Suppressed(Reason.EXPIRED, at)
    return replace(due, due_at=at)


def spread(due: Due, count: int, facts: Facts, rules: Rules, slots: Slots) -> Iterator[tuple[Decision, int]]:
    """Gives `count` people of the same facts their slots, first come first served. Answers (decision, how many)."""
    while count:
        free = slots.first_free(due.due_at)
        held = hold_back(replace(due, due_at=free), facts, rules)
        if isinstance(held, Suppressed):
            yield _blamed(held, due, slots), count
            return
        if held.due_at == free:
            taken = slots.take(free, count)
            yield held, taken
            count -= taken
        due = held


def _blamed(suppressed: Suppressed, due: Due, slots: Slots) -> Suppressed:
    """Who expired because the provider's day was full is told so."""
    days = [window for window in slots.windows if window.seconds == DAY]
    is_spent = any(window.is_full(window.slot_of(due.due_at)) for window in days)
    if suppressed.reason is Reason.EXPIRED and is_spent:
        return Suppressed(Reason.PROVIDER_QUOTA, suppressed.at)
    return suppressed


def _wanted(facts: Facts, rules: Rules, now: datetime) -> datetime | None:
    """When the campaign means to reach this person; None for somebody whose local time has passed and who is left
    out."""
    timing = rules.timing
    if timing is None:
        return rules.base
    zone = zone_of(facts.timezone, rules.fallback_timezone)
    if isinstance(timing, LocalTime):
        return _at_local_time(facts, rules, timing, now)
    hour = timing.fallback_hour if facts.best_hour is None else facts.best_hour
    start = max(rules.base, now)
    today = wall_of(start, zone).replace(hour=hour, minute=0, second=0, microsecond=0)
    for days in (-1, 0, 1, 2):
        begins = instant_of(today + days * _DAY, zone)
        if start < begins + _HOUR:
            return max(begins, start)
    raise AssertionError("an hour of the day comes every day")


def _at_local_time(facts: Facts, rules: Rules, timing: LocalTime, now: datetime) -> datetime | None:
    zone = zone_of(facts.timezone, rules.fallback_timezone)
    wanted = instant_of(timing.wall, zone)
    if wanted >= now or timing.missed is Missed.NOW:
        return max(wanted, now)
    if timing.missed is Missed.SKIP:
        return None
    days = max(0, (wall_of(now, zone).date() - timing.wall.date()).days)
    return next(later for more in (0, 1, 2) if (later := instant_of(timing.wall + (days + more) * _DAY, zone)) >= now)


__all__ = ["BestHour", "Decision", "Due", "Facts", "Suppressed", "hold_back", "plan", "spread"]
