"""Sending again what was delivered or given up. The call keeps its id, so a receiver can tell that it knows it."""

from __future__ import annotations

from datetime import datetime

from apps.tenants.models import Tenant
from apps.webhooks import outbox
from apps.webhooks.errors import EndpointDisabled, StillPending
from apps.webhooks.models import Delivery, DeliveryState, WebhookEndpoint

#: Calls of one range.
MAX_RANGE = 10_000


def replay_delivery(*, tenant: Tenant, delivery: Delivery) -> None:
    """Raises EndpointDisabled, StillPending."""
    if delivery.state == DeliveryState.PENDING:
        raise StillPending
    _replay(tenant, delivery.endpoint, [delivery.pk])


def replay_range(
    *,
    tenant: Tenant,
    endpoint: WebhookEndpoint,
    since: datetime | None = None,
    until: datetime | None = None,
    state: str = DeliveryState.DEAD,
) -> int:
    """The finished calls of that state made in [since, until), the oldest first, at most MAX_RANGE; answers how many.

    Raises EndpointDisabled.
    """
    chosen = Delivery.objects.of(tenant).filter(endpoint=endpoint, state=state)
    if since is not None:
        chosen = chosen.filter(created_at__gte=since)
    if until is not None:
        chosen = chosen.filter(created_at__lt=until)
    return _replay(tenant, endpoint, list(chosen.order_by("pk").values_list("pk", flat=True)[:MAX_RANGE]))


def _replay(tenant: Tenant, endpoint: WebhookEndpoint, numbers: list[int]) -> int:
    # Held, so that it is not disabled between the check and the commit.
    held = WebhookEndpoint.objects.of(tenant).select_for_update(no_key=True).get(pk=endpoint.pk)
    if not held.is_enabled:
        raise EndpointDisabled
    finished = Delivery.objects.of(tenant).filter(pk__in=numbers).exclude(state=DeliveryState.PENDING)
    lanes = set(finished.values_list("lane", flat=True))
    count = finished.update(state=DeliveryState.PENDING, tries=0, next_at=None, finished_at=None)
    outbox.open_lanes(tenant=tenant, endpoint=held, names=lanes)
    return count
