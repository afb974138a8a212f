"""Telling others of events: who watches which, and what has happened since they were last told.

An event that is watched leaves a WatchedEvent in the statement that records it. Whoever takes it does so in the
transaction in which it acts: an event is acted on exactly once, and never when it was not committed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from apps.audience.models import BehaviourEvent, EventWatch
from apps.audience.segment_query import properties
from apps.audience.segments import Leaf
from apps.tenants.models import Application
from apps.tenants.scope import CrossTenantRole, all_tenants

_SCANNED = 5_000

_WAITING = """
SELECT DISTINCT tenant_id, application_id
FROM (SELECT tenant_id, application_id FROM audience_watched_event ORDER BY id LIMIT %s) AS oldest
"""
_TAKE = """
WITH taken AS (
    DELETE FROM audience_watched_event WHERE id IN (
        SELECT id FROM audience_watched_event WHERE tenant_id = %(tenant)s AND application_id = %(application)s
        ORDER BY id LIMIT %(most)s FOR UPDATE SKIP LOCKED
    )
    RETURNING id, subscriber_id, occurred_at, event_id
)
SELECT event.subscriber_id, event.occurred_at, event.event_id, event.name
FROM taken JOIN audience_event event ON event.tenant_id = %(tenant)s AND event.subscriber_id = taken.subscriber_id
    AND event.occurred_at = taken.occurred_at AND event.event_id = taken.event_id
ORDER BY taken.id
"""


@dataclass(frozen=True, slots=True)
class Happened:
    """subscriber: row number. name: of the event."""

    subscriber: int
    occurred_at: datetime
    event_id: str
    name: str


def watch_events(*, application: Application, owner: str, names: Collection[str]) -> None:
    """From the commit on, the owner is told of events of these names and no others. None: of nothing any more."""
    watches = EventWatch.objects.of(application.tenant_id).filter(application=application, owner=owner)
    watches.exclude(name__in=names).delete()
    EventWatch.objects.bulk_create(
        (
            EventWatch(tenant_id=application.tenant_id, application=application, owner=owner, name=name)
            for name in sorted(names)
        ),
        ignore_conflicts=True,
    )


def applications_with_news() -> list[tuple[int, int]]:
    """Row numbers (tenant, application) of those whose watched events wait. Opens DISPATCH."""
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        cursor.execute(_WAITING, [_SCANNED])
        return [(tenant_id, number) for tenant_id, number in cursor.fetchall()]


def take_watched(*, tenant_id: int, application_id: int, most: int) -> list[Happened]:
    """The oldest watched events that nobody else is taking, in the order of their recording; gone for good when the
    caller commits. Those of people who were erased meanwhile are left out."""
    values = {"tenant": tenant_id, "application": application_id, "most": most}
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, values)
        return [Happened(*row) for row in cursor.fetchall()]


def fitting(events: Iterable[Happened], leaf: Leaf, *, tenant_id: int) -> list[Happened]:
    """Those of the events that have the leaf's name and whose properties fit, in the same order."""
    named = [event for event in events if event.name == leaf.key]
    if not named or not leaf.where:
        return named
    instants = [event.occurred_at for event in named]
    known = BehaviourEvent.objects.of(tenant_id).filter(
        *properties(leaf),
        subscriber_id__in={event.subscriber for event in named},
        occurred_at__range=(min(instants), max(instants)),
        event_id__in=[event.event_id for event in named],
    )
    fits = set(known.values_list("subscriber_id", "occurred_at", "event_id"))
    return [event for event in named if (event.subscriber, event.occurred_at, event.event_id) in fits]
