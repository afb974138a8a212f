"""What is forgotten, and when: raw records by the month, identities of records after 400 days, silent sources.

Hourly sums, quotas and invoices stay. A pruned identity could only return with a timestamp of the last 35 days, as
another fact.
"""

from __future__ import annotations

from datetime import date, timedelta

from django.db import connection

from apps.billing.models import Subscription, UsageSource
from apps.core import clock
from apps.core.months import month_of
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope

#: The longest report looks back 400 days into raw records.
RAW_KEPT = timedelta(days=430)
KEYS_KEPT = timedelta(days=400)
#: A gateway's life ends within days; a worker's node may be quiet for weeks.
SOURCES_KEPT = timedelta(days=60)
_BATCH = 5_000
_BATCHES = 20


def drop_old_months() -> list[str]:
    """Drops the partitions of raw records whose month is over for that long. Answers their names."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT billing_drop_months(%s)", [month_of(clock.now() - RAW_KEPT)])
        dropped: list[str] = cursor.fetchone()[0]
    return dropped


def prune_keys() -> int:
    """Forgets old identities of all tenants, a bounded number of each per call, a batch per transaction."""
    before = (clock.now() - KEYS_KEPT).date()
    with all_tenants(CrossTenantRole.DISPATCH):
        tenants = sorted(Subscription.objects.get_queryset().values_list("tenant_id", flat=True))
    return sum(_prune(tenant_id, before) for tenant_id in tenants)


def _prune(tenant_id: int, before: date) -> int:
    pruned = 0
    for _batch in range(_BATCHES):
        with tenant_scope(tenant_id), connection.cursor() as cursor:
            cursor.execute("SELECT billing_prune_keys(%s, %s)", [before, _BATCH])
            found: int = cursor.fetchone()[0]
        pruned += found
        if found < _BATCH:
            break
    return pruned


def sweep_sources() -> int:
    """Forgets the nodes that have not sent anything for long: their numbers never come back."""
    swept, _by_model = UsageSource.objects.filter(updated_at__lt=clock.now() - SOURCES_KEPT).delete()
    return swept
