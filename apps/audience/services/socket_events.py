"""What people did on their sockets, from the data plane's stream into their events.

Committed first, deleted then: a crash in between repeats an entry, whose id is its place in the stream.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from django.db import DatabaseError
from redis import Redis

from apps.audience.services.events import MAX_EVENTS, record_events
from apps.core import valkey
from apps.realtime import keys
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope

_log = logging.getLogger(__name__)

_PAGES = 20


@dataclass(frozen=True, slots=True)
class _Entry:
    stream_id: bytes
    tenant_id: int
    application_id: str
    event: dict[str, Any]


def take_socket_events(*, region: str) -> int:
    """Records what waits in a region's stream, up to a bound; answers how much. Opens the tenants' scopes itself."""
    client, taken, after = valkey.connect(region), 0, b"-"
    for _page in range(_PAGES):
        lines: Any = client.xrange(keys.BEHAVIOUR, min=after, count=MAX_EVENTS)
        if not lines:
            break
        taken += _take(client, [_entry(stream_id, fields.get(b"e", b"")) for stream_id, fields in lines])
        after = b"(" + lines[-1][0]
    return taken


def _entry(stream_id: bytes, raw: bytes) -> _Entry:
    tenant_id, application_id, user_id, name, properties = orjson.loads(raw)
    place = stream_id.decode()
    happened = datetime.fromtimestamp(int(place.partition("-")[0]) / 1_000, UTC)
    event = {
        "id": f"rt-{place}",
        "external_id": user_id,
        "name": name,
        "occurred_at": happened.isoformat(),
        "properties": properties,
    }
    return _Entry(stream_id, tenant_id, application_id, event)


def _take(client: Redis, entries: list[_Entry]) -> int:
    owners: dict[tuple[int, str], list[_Entry]] = defaultdict(list)
    for entry in entries:
        owners[entry.tenant_id, entry.application_id].append(entry)
    taken = 0
    for (tenant_id, application_id), mine in owners.items():
        try:
            _record(tenant_id, application_id, mine)
        except DatabaseError:
            _log.exception("audience.socket_events_postponed tenant=%s count=%s", tenant_id, len(mine))
            continue
        client.xdel(keys.BEHAVIOUR, *(entry.stream_id for entry in mine))
        taken += len(mine)
    return taken


def _record(tenant_id: int, application_id: str, entries: list[_Entry]) -> None:
    with tenant_scope(tenant_id):
        tenant = Tenant.objects.filter(pk=tenant_id).first()
        application = Application.objects.of(tenant_id).filter(application_id=application_id).first()
        if tenant is None or application is None:  # deleted since
            return
        results = record_events(tenant=tenant, application=application, events=[entry.event for entry in entries])
    rejected = [result.problem.code for result in results if result.problem is not None]
    if rejected:
        _log.info("audience.socket_events_rejected application=%s codes=%s", application_id, sorted(set(rejected)))
