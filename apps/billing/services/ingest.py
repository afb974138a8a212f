"""Takes the data plane's records from the stream into PostgreSQL: committed first, acknowledged then, deleted last.

A crash between any two of these steps repeats records, and a repeat changes nothing. Several workers may do it at once.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, transaction
from redis import Redis

from apps.billing.models import UnmatchedUsage, UsageSource
from apps.billing.plane import PlaneRecord, Unreadable, advance
from apps.billing.services.allowances import settle_allowance
from apps.billing.services.levels import peaks_of
from apps.billing.services.recording import record_usage
from apps.core import clock, valkey
from apps.realtime import keys
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope

logger = logging.getLogger(__name__)

_PAGE = 1_000
_PAGES = 20


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of the stream; record is None when it cannot be read."""

    stream_id: bytes
    raw: bytes
    record: PlaneRecord | None


def ingest(*, region: str) -> int:
    """Counts what stands in a region's stream, up to a bound, and answers how many lines were taken from it."""
    client, taken = valkey.connect(region), 0
    for page in _pages(client):
        taken += _take(client, page)
    return taken


def _pages(client: Redis) -> Iterator[list[_Entry]]:
    """Oldest first. What could not be taken stays in the stream and is passed over until the next tick."""
    after = b"-"
    for _page in range(_PAGES):
        lines: Any = client.xrange(keys.USAGE, min=after, count=_PAGE)
        if not lines:
            return
        yield [_entry(stream_id, fields) for stream_id, fields in lines]
        after = b"(" + lines[-1][0]


def _entry(stream_id: bytes, fields: Mapping[bytes, bytes]) -> _Entry:
    raw = fields.get(b"r", b"")
    try:
        return _Entry(stream_id, raw, PlaneRecord.from_json(raw))
    except Unreadable:
        return _Entry(stream_id, raw, None)


def _take(client: Redis, entries: list[_Entry]) -> int:
    by_tenant: dict[int, list[_Entry]] = defaultdict(list)
    done: list[_Entry] = []
    for entry in entries:
        if entry.record is None:
            _set_aside(f"stream:{entry.stream_id.decode()}", "unreadable", entry.raw)
            done.append(entry)
        else:
            by_tenant[entry.record.tenant_id].append(entry)
    for tenant_id, lines in by_tenant.items():
        try:
            _count(tenant_id, lines)
        except DatabaseError:
            logger.exception("usage.postponed tenant=%s lines=%s", tenant_id, len(lines))
            continue
        done += lines
        settle_allowance(tenant_id=tenant_id)
    counted = _advance_sources(entry.record for entry in done if entry.record is not None)
    if counted:
        client.hset(keys.USAGE_ACKED, mapping=counted)
    if done:
        client.xdel(keys.USAGE, *(entry.stream_id for entry in done))
    return len(done)


def _count(tenant_id: int, lines: list[_Entry]) -> None:
    records = [entry.record for entry in lines if entry.record is not None]
    with tenant_scope(tenant_id):
        tenant = Tenant.objects.filter(pk=tenant_id).first()
        if tenant is None:
            _set_all_aside(lines, "unknown_tenant")
            return
        applications = dict(Application.objects.of(tenant).values_list("application_id", "pk"))
        usage = [part for record in records for part in record.usage(applications.get(record.application_id))]
        usage += peaks_of(records, applications, tenant=tenant)
        for part, outcome in zip(usage, record_usage(usage, tenant=tenant), strict=True):
            if not outcome.result.is_counted:
                source = f"{tenant_id}:{part.meter}:{part.source_key}"
                _set_aside(source, outcome.reason or str(outcome.result), repr(part).encode())


def _set_all_aside(lines: Iterable[_Entry], reason: str) -> None:
    for entry in lines:
        if entry.record is not None:
            _set_aside(entry.record.source_key, reason, entry.raw)


def _set_aside(source: str, reason: str, raw: bytes) -> None:
    logger.error("usage.unmatched source=%s reason=%s", source[:200], reason)
    text = raw[:2_000].decode(errors="replace").replace("\x00", "�")
    row = UnmatchedUsage(source=source[:200], reason=reason[:40], record=text)
    UnmatchedUsage.objects.bulk_create([row], ignore_conflicts=True)


def _advance_sources(records: Iterable[PlaneRecord]) -> dict[Any, Any]:
    """Node -> the number up to which all it sent is counted. It is kept here so that it survives a wiped Valkey."""
    done: dict[str, list[int]] = defaultdict(list)
    for record in records:
        done[record.node].append(record.seq)
    if not done:
        return {}
    with transaction.atomic():
        UsageSource.objects.bulk_create([UsageSource(node=node) for node in sorted(done)], ignore_conflicts=True)
        sources = list(UsageSource.objects.select_for_update().filter(node__in=done).order_by("node"))
        for source in sources:
            source.counted_seq, source.ahead = advance(source.counted_seq, source.ahead, done[source.node])
            source.updated_at = clock.now()
        UsageSource.objects.bulk_update(sources, ["counted_seq", "ahead", "updated_at"])
    return {source.node: source.counted_seq for source in sources}
