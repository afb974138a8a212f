"""Has everything that the gateways counted been billed? Their own hourly totals against the recorded usage."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Self

from django.db import connection

from apps.billing.meters import MESSAGES_DELIVERED, MESSAGES_PUBLISHED
from apps.billing.models import UsageSource
from apps.core import clock, valkey
from apps.realtime import keys
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope

_HOUR = 3600

_BILLED = """
SELECT told.node, coalesce(sum(quantity) FILTER (WHERE meter = %(published)s), 0)::bigint,
       coalesce(sum(quantity) FILTER (WHERE meter = %(delivered)s), 0)::bigint
FROM unnest(%(nodes)s::text[], %(seqs)s::bigint[]) AS told (node, seq)
LEFT JOIN usage_event ON tenant_id = %(tenant)s AND meter IN (%(published)s, %(delivered)s)
    AND occurred_at >= to_timestamp(%(start)s) AND occurred_at < to_timestamp(%(start)s + 3600)
    AND source_key LIKE 'rt:%%' AND split_part(source_key, ':', 2) = told.node
    AND split_part(source_key, ':', 4)::bigint <= told.seq
GROUP BY told.node
"""


@dataclass(frozen=True, slots=True)
class Told:
    """What one node says that it counted for a tenant in an hour, up to its record `seq`."""

    node: str
    tenant_id: int
    seq: int
    published: int
    delivered: int

    @classmethod
    def parse(cls, field: bytes, value: bytes) -> Self:
        node, _colon, tenant_id = field.decode().rpartition(":")
        return cls(node, int(tenant_id), *map(int, value.split(b":")))


def plane_differences(*, region: str) -> dict[int, int]:
    """Tenant's row number -> units by which the gateways and the bill differ, of this and the last hour.

    Looked at is what is counted up to its last record; what is on its way is told by `backlog`. Opens its own scopes.
    """
    now = int(clock.now().timestamp()) // _HOUR
    differences: dict[int, int] = defaultdict(int)
    for hour in (now - 1, now):
        for tenant_id, told in _settled(region, hour).items():
            differences[tenant_id] += _difference(tenant_id, hour, told)
    return {tenant_id: difference for tenant_id, difference in differences.items() if difference}


def _settled(region: str, hour: int) -> dict[int, list[Told]]:
    lines: Any = valkey.connect(region).hscan_iter(keys.usage_told(hour), count=1_000)
    told = [Told.parse(field, value) for field, value in lines]
    nodes = {each.node for each in told}
    # Read after the totals: a record that came in since lies beyond their seq and is left out below.
    counted = dict(UsageSource.objects.filter(node__in=nodes).values_list("node", "counted_seq"))
    by_tenant: dict[int, list[Told]] = defaultdict(list)
    for each in told:
        if each.seq <= counted.get(each.node, 0):
            by_tenant[each.tenant_id].append(each)
    return by_tenant


def _difference(tenant_id: int, hour: int, told: list[Told]) -> int:
    arguments: dict[str, Any] = {
        "tenant": tenant_id,
        "start": hour * _HOUR,
        "nodes": [each.node for each in told],
        "seqs": [each.seq for each in told],
        "published": MESSAGES_PUBLISHED,
        "delivered": MESSAGES_DELIVERED,
    }
    with tenant_scope(tenant_id), connection.cursor() as cursor:
        if not Tenant.objects.filter(pk=tenant_id).exists():  # closed meanwhile: its records are unmatched, and seen
            return 0
        cursor.execute(_BILLED, arguments)
        billed = {node: (published, delivered) for node, published, delivered in cursor.fetchall()}
    return sum(abs(each.published - billed[each.node][0]) + abs(each.delivered - billed[each.node][1]) for each in told)
