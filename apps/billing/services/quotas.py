"""Limits at the door: ask before accepting (and reserve before sending: `reservations.py`)."""

from __future__ import annotations

from apps.billing.errors import QuotaExceeded
from apps.billing.meters import METERS, Aggregation
from apps.billing.models import ApplicationLimit, Quota
from apps.billing.services.application_limits import require_application
from apps.billing.services.caps import budget_of
from apps.billing.services.periods import current_period, subscription_of
from apps.tenants.models import Tenant


def require_allowance(*, tenant: Tenant, meter: str, quantity: int, application_id: int = 0) -> None:
    """Raises QuotaExceeded when this many more units (or a level this high) would pass the hard limit of the tenant or
    of the application (row number), SpendCapReached when they would pass the cap in money.

    It promises nothing: somebody else may use the units first. Work that must not pass the limit reserves.
    """
    budget_of(tenant=tenant).require(meter, quantity)
    quota = _quota(tenant, meter)
    taken = 0 if METERS[meter].aggregation is Aggregation.MAX else quota.used + quota.reserved
    if quota.hard_limit is not None and taken + quantity > quota.hard_limit:
        raise _exceeded(quota)
    require_application(tenant=tenant, application_id=application_id, meter=meter, quantity=quantity)


def is_bounded(*, tenant: Tenant, meter: str, application_id: int) -> bool:
    """Whether anything could refuse more units: a limit of the tenant or the application, or a price under a cap."""
    quota = _quota(tenant, meter)
    has_price = (
        quota.period.terms.charge_for(meter) is not None and subscription_of(tenant=tenant).spend_cap is not None
    )
    own = ApplicationLimit.objects.of(tenant).filter(application_id=application_id, meter=meter, hard__isnull=False)
    return quota.hard_limit is not None or has_price or own.exists()


def _quota(tenant: Tenant, meter: str) -> Quota:
    period = current_period(tenant=tenant)
    return Quota.objects.of(tenant).select_related("period").get(period=period, meter=meter)


def _exceeded(quota: Quota) -> QuotaExceeded:
    return QuotaExceeded(
        meter=quota.meter,
        limit=quota.hard_limit or 0,
        used=quota.used + quota.reserved,
        resets_at=quota.period.ends_at,
    )
