"""Counts the webhook calls that arrived: each is marked in the transaction that counts it."""

from __future__ import annotations

from apps.billing.meters import WEBHOOKS_DELIVERED
from apps.billing.records import UsageRecordIn
from apps.billing.services.call_limits import hold_or_free_calls
from apps.billing.services.recording import record_usage
from apps.core import clock
from apps.tenants.models import Tenant
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope
from apps.webhooks.models import Delivery, DeliveryState

_MOST = 2_000


def count_calls() -> int:
    """Answers how many calls were found. Opens its own scopes; killed anywhere, the next tick does it again."""
    with all_tenants(CrossTenantRole.DISPATCH):
        waiting = Delivery.objects.get_queryset().filter(state=DeliveryState.DELIVERED, is_metered=False)
        found = list(waiting.order_by("pk").values_list("tenant_id", flat=True)[:_MOST])
    for tenant_id in sorted(set(found)):
        with tenant_scope(tenant_id):
            _count(Tenant.objects.get(pk=tenant_id))
    return len(found)


def _count(tenant: Tenant) -> None:
    waiting = Delivery.objects.of(tenant).filter(state=DeliveryState.DELIVERED, is_metered=False)
    held = waiting.order_by("pk").select_for_update(skip_locked=True, of=("self",)).select_related("endpoint")
    calls = list(held[:_MOST])
    records = [
        UsageRecordIn(
            WEBHOOKS_DELIVERED, f"call:{call.pk}", 1, call.finished_at or clock.now(), call.endpoint.application_id
        )
        for call in calls
    ]
    record_usage(records, tenant=tenant)
    hold_or_free_calls(tenant=tenant)
    Delivery.objects.of(tenant).filter(pk__in=[call.pk for call in calls]).update(is_metered=True)
