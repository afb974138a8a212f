"""Letting people into a journey: the re-entry rule, and how many may begin in a minute.

The caller holds the journey's row (`hold_journey`): who comes in is decided one transaction at a time per journey, so
that two workers see each other's entries. The table's unique keys say the same once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.campaigns.journeys.definition import Definition, Reentry, ReentryRule
from apps.campaigns.journeys.models import EntryState, Journey, JourneyEntry
from apps.campaigns.journeys.places import take_places
from apps.core import clock


@dataclass(frozen=True, slots=True)
class Candidate:
    """subscriber: row number. since: when what brings them in happened. event_id: of that event, or empty."""

    subscriber: int
    since: datetime
    event_id: str = ""


def hold_journey(tenant_id: int, journey_id: int) -> Journey | None:
    """The row as it is now, held until the commit; None when it is gone."""
    rows = Journey.objects.of(tenant_id).select_for_update(no_key=True, of=("self",))
    return rows.select_related("application", "tenant").filter(pk=journey_id).first()


def admit(journey: Journey, definition: Definition, candidates: Sequence[Candidate]) -> int:
    """Lets in whom the rule allows, in this order. Answers how many. definition: of the journey's newest version."""
    now = clock.now()
    allowed = _allowed(journey, definition.reentry, candidates, now)
    starts = _starts(journey, definition, len(allowed), now)
    JourneyEntry.objects.bulk_create(
        JourneyEntry(
            tenant_id=journey.tenant_id,
            journey=journey,
            version=journey.version,
            subscriber_id=candidate.subscriber,
            event_id=candidate.event_id,
            since=candidate.since,
            entered_at=now,
            is_alone=definition.reentry.one_at_a_time,
            step=definition.first,
            arrived_at=start,
            due_at=start,
        )
        for candidate, start in zip(allowed, starts, strict=True)
    )
    return len(allowed)


def _allowed(journey: Journey, rule: Reentry, candidates: Sequence[Candidate], now: datetime) -> list[Candidate]:
    active, last = _histories(journey, {candidate.subscriber for candidate in candidates})
    allowed: list[Candidate] = []
    for candidate in candidates:
        person = candidate.subscriber
        if (rule.one_at_a_time and person in active) or not _comes_again(rule, last.get(person), now):
            continue
        active.add(person)
        last[person] = now
        allowed.append(candidate)
    return allowed


def _histories(journey: Journey, people: set[int]) -> tuple[set[int], dict[int, datetime]]:
    """Who is under way, and when each came in last."""
    known = JourneyEntry.objects.of(journey.tenant_id).filter(journey=journey, subscriber__in=people)
    active: set[int] = set()
    last: dict[int, datetime] = {}
    for person, state, entered_at in known.order_by("entered_at").values_list("subscriber_id", "state", "entered_at"):
        last[person] = entered_at
        if state == EntryState.ACTIVE:
            active.add(person)
    return active, last


def _comes_again(rule: Reentry, last: datetime | None, now: datetime) -> bool:
    if last is None or rule.rule is ReentryRule.ALWAYS:
        return True
    return rule.rule is ReentryRule.AFTER and now >= last + timedelta(days=rule.days)


def _starts(journey: Journey, definition: Definition, count: int, now: datetime) -> list[datetime]:
    """When each of `count` people begins: at once, or in the first minute that has room."""
    if definition.entries_per_minute is None:
        return [now] * count
    starts, taken = take_places(count, limit=definition.entries_per_minute, taken=journey.slots, now=now)
    journey.changed(slots=taken)
    return starts
