"""Meters of a tenant's own beside those of the house."""

from __future__ import annotations

from apps.billing.errors import BadMeter
from apps.billing.meters import METERS, Aggregation, Meter, is_meter_name
from apps.billing.models import Quota, TenantMeter
from apps.billing.services.periods import current_period
from apps.tenants.models import Tenant

MOST_METERS = 100


def meters_of(*, tenant: Tenant) -> dict[str, Meter]:
    """Name -> meter: those of the house first, then the tenant's own in the order they were made."""
    own = TenantMeter.objects.of(tenant).order_by("pk")
    return METERS | {each.name: each.meter for each in own}


def create_meter(*, tenant: Tenant, name: str, aggregation: Aggregation, title: str, unit: str) -> TenantMeter:
    """A new meter. Raises BadMeter.

    Its name and aggregation stay for ever: what was counted under them must go on to mean the same.
    """
    if not is_meter_name(name):
        raise BadMeter(fields={"name": [BadMeter.bad_name]})
    own = TenantMeter.objects.of(tenant)
    if own.count() >= MOST_METERS:
        raise BadMeter(fields={"name": [BadMeter.too_many % {"count": MOST_METERS}]})
    made = TenantMeter(tenant=tenant, name=name, aggregation=aggregation.value, title=title, unit=unit)
    if name in METERS or own.filter(name=name).exists():
        raise BadMeter(fields={"name": [BadMeter.taken]})
    made.save()
    quota = Quota(tenant=tenant, period=current_period(tenant=tenant), meter=name)
    Quota.objects.bulk_create([quota], ignore_conflicts=True)
    return made
