"""Limits at the door: ask before accepting, reserve before sending."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F, Q
from django.db.models.functions import Greatest

from apps.billing.errors import QuotaExceeded
from apps.billing.meters import CAMPAIGN_SENDS, METERS, Aggregation
from apps.billing.models import Quota
from apps.billing.services.caps import budget_of
from apps.billing.services.periods import current_period
from apps.tenants.models import Tenant


def require_allowance(*, tenant: Tenant, meter: str, quantity: int) -> None:
    """Raises QuotaExceeded when this many more units (or a level this high) would pass the hard limit, SpendCapReached
    when they would pass the cap in money.

    It promises nothing: somebody else may use the units first. Work that must not pass the limit reserves.
    """
    budget_of(tenant=tenant).require(meter, quantity)
    quota = _quota(tenant, meter)
    taken = 0 if METERS[meter].aggregation is Aggregation.MAX else quota.used + quota.reserved
    if quota.hard_limit is not None and taken + quantity > quota.hard_limit:
        raise _exceeded(quota)


def reserve_sends(*, tenant: Tenant, quantity: int) -> None:
    """Takes campaign sends out of what is left, all or none. Raises QuotaExceeded, SpendCapReached.

    Call it in the transaction that marks the sends as attempted, and `release_sends` in the one that records their
    outcomes, together with `record_usage` for the accepted ones. However many reserve at once, used + reserved never
    passes the limit, or their price the cap.
    """
    quota = _quota(tenant, CAMPAIGN_SENDS)
    # Held until the commit, so that each of several reservations is priced on top of the others.
    Quota.objects.of(tenant).select_for_update().get(pk=quota.pk)
    budget_of(tenant=tenant).require(CAMPAIGN_SENDS, quantity)
    room = Q(hard_limit=None) | Q(hard_limit__gte=F("used") + F("reserved") + quantity)
    reserved = Quota.objects.of(tenant).filter(room, pk=quota.pk).update(reserved=F("reserved") + quantity)
    if not reserved:
        quota.refresh_from_db(fields=["used", "reserved", "hard_limit"])
        raise _exceeded(quota)


def release_sends(*, tenant: Tenant, quantity: int, reserved_at: datetime | None = None) -> None:
    """Ends a reservation, whatever became of the sends. reserved_at: when it was made, if that may be a period ago."""
    quota = _quota(tenant, CAMPAIGN_SENDS, reserved_at)
    Quota.objects.of(tenant).filter(pk=quota.pk).update(reserved=Greatest(F("reserved") - quantity, 0))


def _quota(tenant: Tenant, meter: str, at: datetime | None = None) -> Quota:
    period = current_period(tenant=tenant, at=at)
    return Quota.objects.of(tenant).select_related("period").get(period=period, meter=meter)


def _exceeded(quota: Quota) -> QuotaExceeded:
    return QuotaExceeded(
        meter=quota.meter,
        limit=quota.hard_limit or 0,
        used=quota.used + quota.reserved,
        resets_at=quota.period.ends_at,
    )
