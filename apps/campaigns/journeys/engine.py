"""Walking people through journeys, a batch at a time.

A batch is one transaction: its entries are locked (SKIP LOCKED, so a second worker takes others), taken as far as they
get, and written back together with what the steps did. No step speaks to a network: a send is rows of the ledger. So a
worker that dies holds nothing and has done nothing, and no lease has to run out.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from time import monotonic

from django.db import DatabaseError, connection

from apps.audience.models import Subscriber
from apps.campaigns.journeys.admission import hold_journey
from apps.campaigns.journeys.conditions import holding
from apps.campaigns.journeys.definition import MAX_VISITS, Definition
from apps.campaigns.journeys.models import (
    EntryState,
    Journey,
    JourneyEntry,
    JourneyStatus,
    JourneyVersion,
    JourneyVisit,
)
from apps.campaigns.journeys.outcomes import Move, Outcome, Stay
from apps.campaigns.journeys.performing import Person, Stage, perform
from apps.campaigns.journeys.published import definition_of
from apps.core import clock
from apps.core.errors import HouseError
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope
from apps.tenants.standing import Standing

log = logging.getLogger(__name__)

#: Entries per transaction.
BATCH = 500

_DUE = """
SELECT journey.tenant_id, journey.id FROM campaigns_journey journey
WHERE journey.status IN ('active', 'archived') AND EXISTS (
    SELECT FROM campaigns_journeyentry entry
    WHERE entry.tenant_id = journey.tenant_id AND entry.journey_id = journey.id
      AND entry.due_at <= CASE journey.status WHEN 'active' THEN %s ELSE 'infinity'::timestamptz END
)
ORDER BY journey.id
"""


def advance_journeys(*, seconds: float) -> bool:
    """Moves who is due, for about that long. Answers whether there may be more to do. Opens its own scopes."""
    until = monotonic() + seconds
    for tenant_id, journey_id in due_journeys():
        while advance_batch(tenant_id, journey_id) == BATCH:
            if monotonic() > until:
                return True
    return False


def due_journeys() -> list[tuple[int, int]]:
    """Row numbers (tenant, journey) of those in which somebody is due. Opens DISPATCH."""
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        cursor.execute(_DUE, [clock.now()])
        return [(tenant_id, number) for tenant_id, number in cursor.fetchall()]


def advance_batch(tenant_id: int, journey_id: int) -> int:
    """One transaction. Answers how many entries it had. A journey that cannot go on now, because nobody knows who is
    online, is left as it is, and the others go on."""
    try:
        with tenant_scope(tenant_id):
            journey = (
                Journey.objects.of(tenant_id).select_related("tenant", "application").filter(pk=journey_id).first()
            )
            return _advance(journey) if journey is not None else 0
    except (HouseError, DatabaseError):
        log.exception("journey.postponed tenant=%s journey=%s", tenant_id, journey_id)
        return 0


def _advance(journey: Journey) -> int:
    now = clock.now()
    if journey.status == JourneyStatus.ARCHIVED:
        entries = _locked(journey, None)
        for entry in entries:
            end(entry, EntryState.EXITED, now, reason="archived")
        _save(entries)
        return len(entries)
    if journey.status != JourneyStatus.ACTIVE or journey.tenant.standing is Standing.SUSPENDED:
        return 0
    if _is_throttled(journey):
        # Before its entries: whoever brings people in holds the journey and then wakes entries.
        held = hold_journey(journey.tenant_id, journey.pk)
        if held is None or held.status != JourneyStatus.ACTIVE:
            return 0
        journey = held
    entries = _locked(journey, now)
    by_version: dict[int, list[JourneyEntry]] = defaultdict(list)
    for entry in entries:
        by_version[entry.version].append(entry)
    for number, theirs in by_version.items():
        _Walk(journey, definition_of(journey, number), theirs, now).walk()
    _save(entries)
    return len(entries)


def _is_throttled(journey: Journey) -> bool:
    """Whether any version has a bound on its sends: those who ask for places must see which others have taken."""
    versions = JourneyVersion.objects.of(journey.tenant_id).filter(journey=journey)
    return versions.filter(definition__sends_per_minute__gt=0).exists()


def _locked(journey: Journey, due: datetime | None) -> list[JourneyEntry]:
    """due: None for whoever is under way."""
    under_way = JourneyEntry.objects.of(journey.tenant_id).filter(journey=journey, due_at__isnull=False)
    waiting = under_way if due is None else under_way.filter(due_at__lte=due)
    return list(waiting.order_by("due_at").select_for_update(skip_locked=True, no_key=True, of=("self",))[:BATCH])


def _save(entries: Iterable[JourneyEntry]) -> None:
    fields = ["state", "reason", "goal", "step", "arrived_at", "visits", "due_at", "place_at", "ended_at"]
    JourneyEntry.objects.bulk_update(entries, fields)


def end(entry: JourneyEntry, state: EntryState, now: datetime, *, reason: str = "", goal: str = "") -> None:
    """On the row in memory."""
    entry.state, entry.reason, entry.goal, entry.due_at, entry.ended_at = state, reason, goal, None, now


class _Walk:
    """Entries of one version, taken step by step until each of them waits or has ended."""

    def __init__(
        self, journey: Journey, definition: Definition, entries: Sequence[JourneyEntry], now: datetime
    ) -> None:
        self._definition, self._entries, self._now = definition, entries, now
        people = Subscriber.objects.of(journey.tenant_id).filter(pk__in={entry.subscriber_id for entry in entries})
        facts = {pk: Person(name, zone) for pk, name, zone in people.values_list("pk", "external_id", "timezone")}
        self._stage = Stage(journey, facts, now, definition.sends_per_minute)
        self._visits: list[JourneyVisit] = []

    def walk(self) -> None:
        """Ends because every loop has a wait in it, which always lasts."""
        moving = list(self._entries)
        while moving := self._left_by_exits(moving):
            at: dict[str, list[JourneyEntry]] = defaultdict(list)
            for entry in moving:
                at[entry.step].append(entry)
            moving = [entry for step_id, group in at.items() for entry in self._perform(step_id, group)]
        JourneyVisit.objects.bulk_create(self._visits)

    def _left_by_exits(self, entries: list[JourneyEntry]) -> list[JourneyEntry]:
        """Those who stay in the journey."""
        for number, condition in enumerate(self._definition.exits):
            if not entries:
                break
            leaving = holding(condition, entries, self._stage.journey.application)
            for entry in entries:
                if entry.pk in leaving:
                    end(entry, EntryState.EXITED, self._now, reason=f"exits[{number}]")
            entries = [entry for entry in entries if entry.pk not in leaving]
        return entries

    def _perform(self, step_id: str, group: list[JourneyEntry]) -> list[JourneyEntry]:
        """Those who are in another step now."""
        by_number = {entry.pk: entry for entry in group}
        outcomes = perform(self._definition.step(step_id), group, self._stage)
        return [by_number[number] for number, outcome in outcomes if self._settle(by_number[number], outcome)]

    def _settle(self, entry: JourneyEntry, outcome: Outcome) -> bool:
        if isinstance(outcome, Stay):
            entry.due_at, entry.place_at = outcome.until, outcome.place_at
            return False
        entry.place_at = None
        self._visits.append(self._visit(entry, outcome))
        entry.visits += 1
        if outcome.next is None:
            end(entry, EntryState.DONE, self._now, goal=outcome.goal)
        elif entry.visits >= MAX_VISITS:
            end(entry, EntryState.FAILED, self._now, reason="too_many_steps")
        else:
            entry.step, entry.arrived_at = outcome.next, self._now
            return True
        return False

    def _visit(self, entry: JourneyEntry, outcome: Move) -> JourneyVisit:
        return JourneyVisit(
            tenant_id=entry.tenant_id,
            entry=entry,
            number=entry.visits,
            journey_id=entry.journey_id,
            version=entry.version,
            step=entry.step,
            arrived_at=entry.arrived_at,
            left_at=self._now,
            result=outcome.result,
            message_id=outcome.message_id,
        )
