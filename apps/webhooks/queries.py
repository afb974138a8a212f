"""What doors ask about endpoints and deliveries."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Count, Q

from apps.tenants.models import Application, Tenant, TenantQuerySet
from apps.webhooks.models import Attempt, Delivery, DeliveryState, WebhookEndpoint


def endpoints_of(tenant: Tenant, application: Application) -> TenantQuerySet[WebhookEndpoint]:
    return WebhookEndpoint.objects.of(tenant).filter(application=application).select_related("application")


def deliveries_of(endpoint: WebhookEndpoint, *, state: str = "") -> TenantQuerySet[Delivery]:
    """state: empty for all; unknown ones are none."""
    deliveries = Delivery.objects.of(endpoint.tenant_id).filter(endpoint=endpoint).select_related("endpoint")
    return deliveries.filter(state=state) if state else deliveries


def attempts_of(delivery: Delivery) -> TenantQuerySet[Attempt]:
    """In their order."""
    return Attempt.objects.of(delivery.tenant_id).filter(delivery=delivery).order_by("number")


def open_counts(endpoints: Sequence[WebhookEndpoint]) -> dict[int, tuple[int, int]]:
    """By endpoint row number: deliveries pending, given up."""
    if not endpoints:
        return {}
    rows = (
        Delivery.objects.of(endpoints[0].tenant_id)
        .filter(endpoint__in=endpoints, state__in=[DeliveryState.PENDING, DeliveryState.DEAD])
        .order_by()
        .values_list("endpoint_id")
        .annotate(
            pending=Count("id", filter=Q(state=DeliveryState.PENDING)),
            dead=Count("id", filter=Q(state=DeliveryState.DEAD)),
        )
    )
    return {endpoint_id: (pending, dead) for endpoint_id, pending, dead in rows}
