"""Holds webhook calls back while a limit of them or the cap in money is reached. Nothing is dropped: they go out when
the limit is raised or the next period begins.
"""

from __future__ import annotations

from apps.billing.meters import WEBHOOKS_DELIVERED
from apps.billing.models import ApplicationLimit, BillingPeriod, Quota
from apps.billing.services.application_limits import used_by_application
from apps.billing.services.caps import budget_of
from apps.billing.services.periods import current_period
from apps.tenants.models import Tenant
from apps.webhooks.services.holding import hold_calls


def hold_or_free_calls(*, tenant: Tenant) -> None:
    """Looks at what is used and tells the tenant's endpoints. In the transaction that counts calls or sets limits."""
    period = current_period(tenant=tenant)
    full = _full_applications(tenant, period)
    hold_calls(tenant=tenant, until=period.ends_at, everywhere=_is_spent(tenant, period), applications=full)


def _is_spent(tenant: Tenant, period: BillingPeriod) -> bool:
    quota = Quota.objects.of(tenant).get(period=period, meter=WEBHOOKS_DELIVERED)
    if quota.hard_limit is not None and quota.used >= quota.hard_limit:
        return True
    return budget_of(tenant=tenant).room(WEBHOOKS_DELIVERED, most=1) == 0


def _full_applications(tenant: Tenant, period: BillingPeriod) -> list[int]:
    """Row numbers of the applications whose own limit is reached."""
    limits = ApplicationLimit.objects.of(tenant).filter(meter=WEBHOOKS_DELIVERED, hard__isnull=False)
    return [
        limit.application_id for limit in limits if _used(tenant, period, limit.application_id) >= (limit.hard or 0)
    ]


def _used(tenant: Tenant, period: BillingPeriod, application_id: int) -> int:
    meters = (WEBHOOKS_DELIVERED,)
    used = used_by_application(tenant=tenant, application_id=application_id, meters=meters, period=period)
    return used[WEBHOOKS_DELIVERED]
