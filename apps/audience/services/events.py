"""Recording what people did, each event once, and forgetting what is old."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection

from apps.audience import partitions
from apps.audience.errors import EventBatchTooLarge, EventInvalid
from apps.audience.events import IDS_KEPT, MAX_EVENT_ID, EventIn, EventProblem, read_event
from apps.audience.models import BehaviourEventKey
from apps.audience.values import ValueProblem
from apps.core import clock
from apps.core.months import month_of
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import CrossTenantRole, all_tenants

_log = logging.getLogger(__name__)

MAX_EVENTS = 1_000
_FORGOTTEN_AT_ONCE = 100_000

#: In the order of external ids, so that two batches about the same people wait for each other and never deadlock.
_MEET = """
INSERT INTO audience_subscriber
    (tenant_id, application_id, external_id, attributes, tags, language, timezone, created_at, updated_at)
SELECT %(tenant)s, %(application)s, name, '{}', '{}', '', '', %(now)s, %(now)s
FROM unnest(%(names)s::text[]) AS name ORDER BY name COLLATE "C"
ON CONFLICT (tenant_id, application_id, external_id) DO NOTHING
"""
#: The lock keeps the people until the events are committed: who erases them waits, and then erases these as well.
_KNOWN = """
SELECT external_id, id FROM audience_subscriber
WHERE tenant_id = %(tenant)s AND application_id = %(application)s AND external_id = ANY(%(names)s)
ORDER BY external_id FOR KEY SHARE
"""
#: `fresh` is the deduplication: a second writer of the same id waits in it for the first to commit or roll back.
#: `watched` is why no watched event is missed or told twice: it is committed with the event.
_WRITE = """
WITH offered AS (
    SELECT * FROM unnest(
        %(event_ids)s::text[], %(own)s::boolean[], %(hashes)s::bytea[], %(people)s::bigint[], %(names)s::text[],
        %(instants)s::timestamptz[], %(properties)s::jsonb[]
    ) AS event (event_id, has_own_id, payload_hash, subscriber_id, name, occurred_at, properties)
), fresh AS (
    INSERT INTO audience_event_key (tenant_id, application_id, event_id, payload_hash, first_seen_at)
    SELECT %(tenant)s, %(application)s, event_id, payload_hash, %(now)s FROM offered WHERE has_own_id ORDER BY event_id
    ON CONFLICT DO NOTHING
    RETURNING event_id
), written AS (
    INSERT INTO audience_event
        (tenant_id, application_id, subscriber_id, name, occurred_at, event_id, properties, received_at)
    SELECT %(tenant)s, %(application)s, subscriber_id, name, occurred_at, event_id, properties, %(now)s
    FROM offered WHERE NOT has_own_id OR event_id IN (SELECT event_id FROM fresh)
    RETURNING subscriber_id, name, occurred_at, event_id
), watched AS (
    INSERT INTO audience_watched_event (tenant_id, application_id, subscriber_id, occurred_at, event_id)
    SELECT %(tenant)s, %(application)s, subscriber_id, occurred_at, event_id FROM written
    WHERE name IN (
        SELECT name FROM audience_event_watch WHERE tenant_id = %(tenant)s AND application_id = %(application)s
    )
)
SELECT event_id FROM written
"""


@dataclass(frozen=True, slots=True)
class EventResult:
    """What became of one event of a batch, in the order of the batch. status: recorded, duplicate or rejected."""

    event_id: str
    status: str
    problem: ValueProblem | None = None


def record_event(*, tenant: Tenant, application: Application, event: object) -> EventResult:
    """One event, as in `record_events`. Raises EventInvalid."""
    [result] = record_events(tenant=tenant, application=application, events=[event])
    if result.problem is not None:
        sentence = result.problem.message
        raise EventInvalid(
            sentence, fields={result.problem.field: [sentence]}, details={"problem": result.problem.code}
        )
    return result


def record_events(*, tenant: Tenant, application: Application, events: Sequence[object]) -> list[EventResult]:
    """At most 1,000 events `{id, external_id, name, occurred_at, properties}`; a bad one does not stop the others.

    Who is not known yet becomes a subscriber. An id counts once in the application, whoever repeats it and when; the
    same id with other facts is rejected. Raises EventBatchTooLarge.
    """
    assert application.tenant_id == tenant.pk
    if len(events) > MAX_EVENTS:
        raise EventBatchTooLarge(details={"limit": MAX_EVENTS, "given": len(events)})
    now = clock.now()
    readings = [_read(event, now) for event in events]
    first: dict[str, EventIn] = {}
    for event in _events_in(readings):
        first.setdefault(event.event_id, event)
    people = _people(application, sorted({event.external_id for event in first.values()}))
    reached = [event for event in first.values() if event.external_id in people]
    fresh = _write(application, reached, people) if reached else set()
    hashes = _hashes(application, [event.event_id for event in reached if event.event_id not in fresh])
    hashes |= {event_id: first[event_id].payload_hash for event_id in fresh}
    return [_result(reading, first, fresh, hashes, people) for reading in readings]


def _read(raw: object, now: Any) -> EventIn | EventResult:
    try:
        return read_event(raw, now=now)
    except ValueProblem as problem:
        named = raw.get("id") if isinstance(raw, dict) else None
        return EventResult(named[:MAX_EVENT_ID] if isinstance(named, str) else "", "rejected", problem)


def _events_in(readings: Iterable[EventIn | EventResult]) -> Iterable[EventIn]:
    return (reading for reading in readings if isinstance(reading, EventIn))


def _people(application: Application, names: list[str]) -> dict[str, int]:
    """external id -> row number; who is not known is made known."""
    given: dict[str, Any] = {
        "tenant": application.tenant_id,
        "application": application.pk,
        "now": clock.now(),
        "names": names,
    }
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, given)
        known = dict(cursor.fetchall())
        if len(known) < len(names):
            cursor.execute(_MEET, given | {"names": [name for name in names if name not in known]})
            cursor.execute(_KNOWN, given)
            known = dict(cursor.fetchall())
    return known


def _write(application: Application, events: list[EventIn], people: dict[str, int]) -> set[str]:
    """The ids of those that were not recorded before."""
    partitions.open_months(month_of(event.occurred_at) for event in events)
    columns: dict[str, Any] = {
        "tenant": application.tenant_id,
        "application": application.pk,
        "now": clock.now(),
        "event_ids": [event.event_id for event in events],
        "own": [event.has_own_id for event in events],
        "hashes": [event.payload_hash for event in events],
        "people": [people[event.external_id] for event in events],
        "names": [event.name for event in events],
        "instants": [event.occurred_at for event in events],
        "properties": [json.dumps(event.properties) for event in events],
    }
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, columns)
        return {event_id for (event_id,) in cursor.fetchall()}


def _hashes(application: Application, event_ids: list[str]) -> dict[str, bytes]:
    keys = BehaviourEventKey.objects.of(application.tenant_id).filter(application=application, event_id__in=event_ids)
    return {event_id: bytes(payload_hash) for event_id, payload_hash in keys.values_list("event_id", "payload_hash")}


def _result(
    reading: EventIn | EventResult,
    first: dict[str, EventIn],
    fresh: set[str],
    hashes: dict[str, bytes],
    people: dict[str, int],
) -> EventResult:
    if isinstance(reading, EventResult):
        return reading
    if reading.external_id not in people:
        return EventResult(reading.event_id, "rejected", EventProblem("subscriber_gone", "external_id"))
    if reading.event_id in fresh and reading is first[reading.event_id]:
        return EventResult(reading.event_id, "recorded")
    if hashes.get(reading.event_id) != reading.payload_hash:
        return EventResult(reading.event_id, "rejected", EventProblem("event_id_reused", "id"))
    return EventResult(reading.event_id, "duplicate")


def forget_old_events() -> None:
    """The sweeper: makes the next months, drops the months and forgets the ids that are too old. Opens DISPATCH."""
    with all_tenants(CrossTenantRole.DISPATCH):
        partitions.open_months_ahead()
        dropped = partitions.drop_old_months(kept=settings.EVENT_MONTHS)
        old = BehaviourEventKey.objects.get_queryset().filter(first_seen_at__lt=clock.now() - IDS_KEPT)
        oldest = old.order_by("first_seen_at").values("pk")[:_FORGOTTEN_AT_ONCE]
        old.filter(pk__in=oldest).delete()
    if dropped:
        _log.info("audience.events_dropped months=%d", dropped)
