"""Who was reached, told to billing chunk by chunk: a projection of the ledger that may be repeated."""

from __future__ import annotations

from datetime import datetime
from time import monotonic

from apps.audience.models import Device
from apps.billing.meters import ACTIVE_DEVICES, ACTIVE_SUBSCRIBERS
from apps.billing.records import OLDEST
from apps.billing.services.activity import count_active
from apps.core import clock
from apps.messaging.ledger.states import DeliveryState
from apps.messaging.models import Chunk, Delivery
from apps.providers.registry import needs_of
from apps.tenants.models import Tenant
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope

_MOST = 200


def count_reached(*, seconds: float = 2.0) -> int:
    """Counts the people and devices of chunks that are done, for about that long. Answers how many chunks.
    Opens its own scopes.

    The mark on the chunk and what it counts are one transaction: killed anywhere, the next tick does it again.
    """
    with all_tenants(CrossTenantRole.DISPATCH):
        waiting = Chunk.objects.get_queryset().filter(is_done=True, is_metered=False)
        found = list(waiting.order_by("pk").values_list("tenant_id", "pk")[:_MOST])
    until, done = monotonic() + seconds, 0
    for tenant_id, number in found:
        if monotonic() > until:  # sending comes first: the next tick goes on
            break
        with tenant_scope(tenant_id):
            _count(tenant_id, number)
        done += 1
    return done


def _count(tenant_id: int, number: int) -> None:
    chunks = Chunk.objects.of(tenant_id).filter(pk=number, is_metered=False)
    chunk = chunks.select_related("message").select_for_update(skip_locked=True, of=("self",)).first()
    if chunk is None:  # another worker has it
        return
    tenant, application_id = Tenant.objects.get(pk=tenant_id), chunk.message.application_id
    reached = Delivery.objects.of(tenant).filter(
        chunk=chunk, state=DeliveryState.ACCEPTED, recorded_at__gt=clock.now() - OLDEST
    )
    people: dict[int, datetime] = {}
    on_devices: dict[int, datetime] = {}
    for person, route, at in reached.values_list("subscriber_id", "route", "recorded_at"):
        if at is not None:
            people[person] = at
            if needs_of(route).reaches == "devices":
                on_devices[person] = at
    seen = {f"sub:{person}": at for person, at in people.items()}
    count_active(tenant=tenant, meter=ACTIVE_SUBSCRIBERS, seen=seen, application_id=application_id)
    devices = _devices_of(tenant, on_devices)
    count_active(tenant=tenant, meter=ACTIVE_DEVICES, seen=devices, application_id=application_id)
    Chunk.objects.of(tenant).filter(pk=number).update(is_metered=True)


def _devices_of(tenant: Tenant, people: dict[int, datetime]) -> dict[str, datetime]:
    """Their devices, each at the moment its network last took a push: then it was active, whoever counts it now."""
    took = Device.objects.of(tenant).filter(subscriber_id__in=list(people), last_accepted_at__gt=clock.now() - OLDEST)
    return {f"dev:{device}": at for device, at in took.values_list("pk", "last_accepted_at") if at is not None}
