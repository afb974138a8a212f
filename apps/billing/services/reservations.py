"""Units promised to sends under way: taken before they leave, given back with their outcome or by the sweep.

A quota's `reserved` is always the sum of its open reservations. Whoever changes one holds the quota first, then the
reservation; so nothing is given back twice, and two that meet never wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import F, QuerySet

from apps.billing.errors import QuotaExceeded
from apps.billing.models import BillingPeriod, Quota, Reservation
from apps.billing.services.application_limits import require_application
from apps.billing.services.caps import budget_of
from apps.billing.services.periods import current_period
from apps.core import clock
from apps.tenants.models import Tenant
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope

#: Longer than any slice is under way. A holder that comes back later finds nothing to give back; what it sent is
#: counted all the same, so that a limit can be passed by that one slice.
LEASE = timedelta(minutes=10)
_SWEPT = 200

_GIVE_BACK = """
WITH gone AS (
    DELETE FROM billing_reservation
    WHERE tenant_id = %(tenant)s AND (holder = %(holder)s OR expires_at <= %(expired)s)
    RETURNING quota_id, quantity
), sums AS (SELECT quota_id, sum(quantity) AS quantity FROM gone GROUP BY 1)
UPDATE billing_quota AS quota SET reserved = reserved - sums.quantity FROM sums WHERE quota.id = sums.quota_id
"""


def reserve(*, tenant: Tenant, holder: str, wanted: Mapping[str, int], application_id: int = 0) -> None:
    """Takes units of meters that are sums out of what is left, all or none. Raises QuotaExceeded, SpendCapReached.

    Call it in the transaction that marks the work as begun, and `release` in the one that records its outcome, together
    with `record_usage` for what was accepted. However many reserve at once, used + reserved never passes a limit of the
    tenant or of the application (a row number), or their price the cap.
    """
    period = current_period(tenant=tenant)
    # Held until the commit, so that each of several reservations is priced on top of the others.
    held = Quota.objects.of(tenant).select_for_update().filter(period=period, meter__in=wanted).order_by("pk")
    quotas = {quota.meter: quota for quota in held}
    budget = budget_of(tenant=tenant)
    for meter, quantity in wanted.items():
        budget.require(meter, quantity)
        budget = budget.with_more(meter, quantity)
        _require_room(quotas[meter], period, quantity)
        require_application(tenant=tenant, application_id=application_id, meter=meter, quantity=quantity)
    expires_at = clock.now() + LEASE
    for meter, quantity in wanted.items():
        if not quantity:
            continue
        Quota.objects.of(tenant).filter(pk=quotas[meter].pk).update(reserved=F("reserved") + quantity)
        Reservation.objects.create(
            tenant=tenant, quota=quotas[meter], application_id=application_id, holder=holder, quantity=quantity,
            expires_at=expires_at,
        )  # fmt: skip


def _require_room(quota: Quota, period: BillingPeriod, quantity: int) -> None:
    taken = quota.used + quota.reserved
    if quota.hard_limit is not None and taken + quantity > quota.hard_limit:
        raise QuotaExceeded(meter=quota.meter, limit=quota.hard_limit, used=taken, resets_at=period.ends_at)


def release(*, tenant: Tenant, holder: str) -> None:
    """Ends what the holder has reserved, whatever became of the sends. A repeat changes nothing."""
    _give_back(tenant, Reservation.objects.of(tenant).filter(holder=holder), holder=holder)


def sweep_reservations() -> int:
    """Gives back what nobody came back for: its worker died and its message was paused or deleted since."""
    now = clock.now()
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT tenant_id FROM (SELECT tenant_id FROM billing_reservation WHERE expires_at <= %s "
            "ORDER BY expires_at LIMIT %s) AS expired",
            [now, _SWEPT],
        )
        found = [tenant_id for (tenant_id,) in cursor.fetchall()]
    for tenant_id in found:
        with tenant_scope(tenant_id):
            tenant = Tenant.objects.get(pk=tenant_id)
            _give_back(tenant, Reservation.objects.of(tenant).filter(expires_at__lte=now), expired=now)
    return len(found)


def _give_back(
    tenant: Tenant, which: QuerySet[Reservation], *, holder: str | None = None, expired: datetime | None = None
) -> None:
    quotas = sorted(set(which.values_list("quota_id", flat=True)))
    if not quotas:
        return
    list(Quota.objects.of(tenant).select_for_update().filter(pk__in=quotas).order_by("pk"))
    with connection.cursor() as cursor:
        cursor.execute(_GIVE_BACK, {"tenant": tenant.pk, "holder": holder, "expired": expired})
