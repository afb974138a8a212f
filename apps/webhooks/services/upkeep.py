"""What ticks do beside collecting and sending: rings that got lost, and rows that nobody needs any more."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection

from apps.core import clock, valkey
from apps.realtime import keys
from apps.tenants.models import Application
from apps.tenants.scope import CrossTenantRole, all_tenants
from apps.webhooks.models import Attempt, Delivery, DeliveryState

#: How long finished deliveries can be looked at and replayed.
RETENTION = timedelta(days=30)
_BATCH = 5_000

_FINISHED = """
SELECT id FROM webhooks_delivery WHERE state <> 'pending' AND finished_at < %s ORDER BY finished_at LIMIT %s
"""


def ring_for_everything() -> None:
    """Rings every partition that could hold something: a gateway that died may have noted and not rung."""
    with all_tenants(CrossTenantRole.DISPATCH):
        applications = Application.objects.get_queryset().exclude(webhook_events=[]).order_by("pk")
        rows = list(applications.values_list("tenant__home_region", "tenant_id", "application_id"))
    by_region: dict[str, list[str]] = {}
    for region, tenant_id, application_id in rows:
        rings = (f"{tenant_id}:{application_id}:{number}" for number in range(keys.PARTITIONS))
        by_region.setdefault(region, []).extend(rings)
    for region, waiting in by_region.items():
        valkey.connect(region).sadd(keys.HOOKS_WAITING, *waiting)


def forget_old_deliveries() -> int:
    """Finished ones beyond the retention, a batch at a time; answers how many."""
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        cursor.execute(_FINISHED, [clock.now() - RETENTION, _BATCH])
        numbers = [row[0] for row in cursor.fetchall()]
        Attempt.objects.get_queryset().filter(delivery__in=numbers).delete()
        Delivery.objects.get_queryset().filter(pk__in=numbers).exclude(state=DeliveryState.PENDING).delete()
    return len(numbers)
