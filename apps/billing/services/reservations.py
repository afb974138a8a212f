"""Units promised to sends under way: taken before they leave, given back with their outcome or by the sweep.

A quota's `reserved` is always the sum of its open reservations. Whoever changes one holds the quota first, then the
reservation; so nothing is given back twice, and two that meet never wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Exists, F, OuterRef

from apps.billing.errors import QuotaExceeded
from apps.billing.models import ApplicationLimit, Quota, Subscription
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

#: `held` waits for the quotas in their order; what another gave back meanwhile, `gone` finds deleted.
_GIVE_BACK = """
WITH held AS MATERIALIZED (
    SELECT id FROM billing_quota WHERE id IN (
        SELECT quota_id FROM billing_reservation
        WHERE tenant_id = %(tenant)s AND (holder = %(holder)s OR expires_at <= %(expired)s)
    ) ORDER BY id FOR UPDATE
), gone AS (
    DELETE FROM billing_reservation AS reservation USING held
    WHERE tenant_id = %(tenant)s AND quota_id = held.id AND (holder = %(holder)s OR expires_at <= %(expired)s)
    RETURNING quota_id, quantity
), sums AS (SELECT quota_id, sum(quantity) AS quantity FROM gone GROUP BY 1)
UPDATE billing_quota AS quota SET reserved = reserved - sums.quantity FROM sums WHERE quota.id = sums.quota_id
"""

_TAKE = """
WITH taken AS (
    INSERT INTO billing_reservation (tenant_id, quota_id, application_id, holder, quantity, expires_at)
    SELECT %(tenant)s, quota_id, %(application)s, %(holder)s, quantity, %(expires_at)s
    FROM unnest(%(quotas)s::bigint[], %(quantities)s::bigint[]) AS wanted (quota_id, quantity)
    RETURNING quota_id, quantity
)
UPDATE billing_quota AS quota SET reserved = reserved + taken.quantity FROM taken WHERE quota.id = taken.quota_id
"""


def reserve(*, tenant: Tenant, holder: str, wanted: Mapping[str, int], application_id: int = 0) -> None:
    """Takes units of meters that are sums out of what is left, all or none. Raises QuotaExceeded, SpendCapReached.

    Call it in the transaction that marks the work as begun, and `release` in the one that records its outcome, together
    with `record_usage` for what was accepted. However many reserve at once, used + reserved never passes a limit of the
    tenant or of the application (a row number), or their price the cap.
    """
    quotas = _held(tenant, wanted, application_id)
    if len(quotas) < len(wanted):
        current_period(tenant=tenant)
        quotas = _held(tenant, wanted, application_id)
    budget = budget_of(tenant=tenant) if any(quota.is_capped for quota in quotas.values()) else None
    for meter, quantity in wanted.items():
        quota = quotas[meter]
        if budget is not None:
            budget.require(meter, quantity)
            budget = budget.with_more(meter, quantity)
        quota.require(quantity)
        if quota.is_bounded:
            require_application(tenant=tenant, application_id=application_id, meter=meter, quantity=quantity)
    taken = {quotas[meter].pk: quantity for meter, quantity in wanted.items() if quantity}
    _execute(
        _TAKE,
        {
            "tenant": tenant.pk, "application": application_id, "holder": holder, "expires_at": clock.now() + LEASE,
            "quotas": list(taken), "quantities": list(taken.values()),
        },
    )  # fmt: skip


class _Held(NamedTuple):
    """A quota of the running period. is_capped, is_bounded: whether there is a cap on spending, and a hard limit of the
    application."""

    pk: int
    meter: str
    taken: int
    hard_limit: int | None
    resets_at: datetime
    is_capped: bool
    is_bounded: bool

    def require(self, quantity: int) -> None:
        if self.hard_limit is not None and self.taken + quantity > self.hard_limit:
            raise QuotaExceeded(meter=self.meter, limit=self.hard_limit, used=self.taken, resets_at=self.resets_at)


def _held(tenant: Tenant, wanted: Mapping[str, int], application_id: int) -> dict[str, _Held]:
    """Held until the commit, so that each of several reservations is priced on top of the others. One query for all
    that may bind, because it is asked for each slice of each campaign."""
    now = clock.now()
    capped = Subscription.objects.of(tenant).filter(spend_cap__isnull=False)
    limits = ApplicationLimit.objects.of(tenant).filter(application_id=application_id, hard__isnull=False)
    rows = (
        Quota.objects.of(tenant)
        .filter(period__starts_at__lte=now, period__ends_at__gt=now, meter__in=wanted)
        .select_for_update(of=("self",))
        .annotate(taken=F("used") + F("reserved"))
        .order_by("pk")
        .values_list(
            "pk", "meter", "taken", "hard_limit", "period__ends_at",
            Exists(capped), Exists(limits.filter(meter=OuterRef("meter"))),
        )
    )  # fmt: skip
    return {row[1]: _Held(*row) for row in rows}


def release(*, tenant: Tenant, holder: str) -> None:
    """Ends what the holder has reserved, whatever became of the sends. A repeat changes nothing."""
    _execute(_GIVE_BACK, {"tenant": tenant.pk, "holder": holder, "expired": None})


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
            _execute(_GIVE_BACK, {"tenant": tenant_id, "holder": None, "expired": now})
    return len(found)


def _execute(statement: str, values: Mapping[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
