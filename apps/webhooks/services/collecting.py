"""Takes channel events from the data plane's streams into the outbox: committed first, deleted then.

A crash between the two repeats lines, and the partition's cursor, locked while they are written, knows them. The cursor
relies on stream ids that rise by the clock: one that is set back while Valkey is wiped hides what falls into the gap.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import DatabaseError
from redis import Redis

from apps.core import valkey
from apps.realtime import keys
from apps.realtime.scripts import run_sync
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope
from apps.webhooks import outbox
from apps.webhooks.events import ChannelEvent, Unreadable
from apps.webhooks.models import Cursor, Delivery, WebhookEndpoint

log = logging.getLogger(__name__)

_PARTITIONS_PER_TICK = 200
_PAGE, _PAGES = 500, 10


@dataclass(frozen=True, slots=True)
class Partition:
    """A part of an application's channels, and the stream of what happened on them."""

    tenant_id: int
    application_id: str
    number: int

    @classmethod
    def from_ring(cls, ring: bytes) -> Partition:
        tenant_id, application_id, number = ring.decode().split(":")
        return cls(int(tenant_id), application_id, int(number))

    @property
    def ring(self) -> str:
        return f"{self.tenant_id}:{self.application_id}:{self.number}"


@dataclass(frozen=True, slots=True)
class _Line:
    """event is None when it cannot be read."""

    raw_id: bytes
    position: tuple[int, int]
    event: ChannelEvent | None


def collect(*, region: str) -> int:
    """Takes what stands in a region's streams, up to a bound; answers how many lines that were."""
    client, taken = valkey.connect(region), 0
    # Taken out before the streams are read: what comes after that rings again.
    rings: Any = client.spop(keys.HOOKS_WAITING, _PARTITIONS_PER_TICK)
    for ring in rings or ():
        partition = Partition.from_ring(ring)
        try:
            lines, finished = _collect(client, partition)
        except DatabaseError:
            log.exception("webhooks.postponed partition=%s", partition.ring)
            lines, finished = 0, False
        taken += lines
        if not finished:
            client.sadd(keys.HOOKS_WAITING, partition.ring)
    return taken


def _collect(client: Redis, partition: Partition) -> tuple[int, bool]:
    """How many lines were taken, and whether nothing more is to be expected without a ring."""
    lingering = _tell_departures(client, partition)
    stream, taken = keys.hooks(partition.application_id, partition.number), 0
    for _page in range(_PAGES):
        raw: Any = client.xrange(stream, count=_PAGE)
        lines = [_line(raw_id, fields) for raw_id, fields in raw]
        if lines:
            _take(partition, lines)
            client.xdel(stream, *(line.raw_id for line in lines))
            taken += len(lines)
        if len(lines) < _PAGE:
            return taken, not lingering
    return taken, False


def _tell_departures(client: Redis, partition: Partition) -> bool:
    """Moves departures whose linger is over into the stream; whether others still linger."""
    hooks = keys.hooks(partition.application_id, partition.number)
    linger = keys.linger(partition.application_id, partition.number)
    seconds, microseconds = client.time()
    due: Any = client.zrangebyscore(linger, 0, seconds * 1_000 + microseconds // 1_000, start=0, num=_PAGE)
    for entry in due:
        kind, channel, *user = entry.split(b" ", 2)
        if kind == b"member":
            present, name, field = (
                keys.members(partition.application_id, channel.decode())[1],
                "member_removed",
                user[0],
            )
        else:
            present, name, field = (
                keys.occupied_of(partition.application_id, channel.decode()),
                "channel_vacated",
                channel,
            )
        run_sync(client, "depart", [hooks, linger, present], entry, field, name, channel, b"".join(user))
    return bool(client.zcard(linger))


def _line(raw_id: bytes, fields: dict[bytes, bytes]) -> _Line:
    milliseconds, _dash, sequence = raw_id.decode().partition("-")
    position = (int(milliseconds), int(sequence))
    try:
        return _Line(raw_id, position, ChannelEvent.from_stream(fields, at=position[0]))
    except Unreadable:
        log.error("webhooks.unreadable id=%s", raw_id)
        return _Line(raw_id, position, None)


def _take(partition: Partition, lines: Sequence[_Line]) -> None:
    """One transaction: the lines nobody took before become deliveries of every endpoint that wants them."""
    with tenant_scope(partition.tenant_id):
        application = (
            Application.objects.of(partition.tenant_id)
            .select_related("tenant")
            .filter(application_id=partition.application_id)
            .first()
        )
        if application is None:
            return
        fresh = _advance(application, partition.number, lines)
        endpoints = WebhookEndpoint.objects.of(application.tenant_id).filter(application=application, is_enabled=True)
        # Held, so that one which is being disabled does not get something afterwards.
        for endpoint in endpoints.select_for_update(no_key=True).order_by("pk") if fresh else ():
            _put(application.tenant, endpoint, fresh)


def _advance(application: Application, number: int, lines: Sequence[_Line]) -> list[ChannelEvent]:
    place = {"tenant_id": application.tenant_id, "application": application, "number": number}
    Cursor.objects.bulk_create([Cursor(**place)], ignore_conflicts=True)
    cursor = Cursor.objects.of(application.tenant_id).select_for_update().get(application=application, number=number)
    done = (cursor.milliseconds, cursor.sequence)
    fresh = [line for line in lines if line.position > done]
    if fresh:
        cursor.milliseconds, cursor.sequence = fresh[-1].position
        cursor.save(update_fields=["milliseconds", "sequence"])
    return [line.event for line in fresh if line.event is not None]


def _put(tenant: Tenant, endpoint: WebhookEndpoint, events: Iterable[ChannelEvent]) -> None:
    """Filtered before anything else, so that a batch holds only what its endpoint wants."""
    wanted = [event for event in events if event.name in endpoint.events]
    groups = (
        batches_of(wanted, endpoint.batch_events, endpoint.batch_bytes)
        if endpoint.batching
        else [[event] for event in wanted]
    )
    merged = endpoint.batching or outbox.is_merged(tenant=tenant, endpoint=endpoint)
    deliveries = [
        Delivery(
            tenant=tenant,
            endpoint=endpoint,
            lane=outbox.WHOLE_ENDPOINT if merged else group[0].channel,
            events=[event.to_json() for event in group],
        )
        for group in groups
    ]
    if deliveries:
        outbox.put(tenant=tenant, endpoint=endpoint, deliveries=deliveries)


def batches_of(events: Sequence[ChannelEvent], most: int, most_bytes: int) -> list[list[ChannelEvent]]:
    """Neighbours together, in their order; a single event of more bytes goes alone."""
    batches: list[list[ChannelEvent]] = []
    size = 0
    for event in events:
        length = len(orjson.dumps(event.as_told))
        if not batches or len(batches[-1]) == most or size + length > most_bytes:
            batches.append([])
            size = 0
        batches[-1].append(event)
        size += length
    return batches
