"""Limits that a tenant sets for itself: units per meter, soft and hard, and a cap on what may be spent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from apps.billing.errors import BadLimit
from apps.billing.models import SPENDING, BillingPeriod, Quota, Subscription, UsageAlert
from apps.billing.records import MAX_QUANTITY
from apps.billing.services.own_meters import meters_of
from apps.billing.services.periods import allowed, current_period
from apps.core import clock
from apps.tenants.models import Tenant
from apps.tenants.services import record_audit


@dataclass(frozen=True, slots=True)
class OwnLimit:
    """Units per period. soft: warned of, never refused. hard: refused beyond. None for none."""

    soft: int | None = None
    hard: int | None = None

    @property
    def is_sound(self) -> bool:
        bounds = [bound for bound in (self.soft, self.hard) if bound is not None]
        return all(0 <= bound <= MAX_QUANTITY for bound in bounds) and bounds == sorted(bounds)


def set_limits(*, tenant: Tenant, actor: str, limits: Mapping[str, OwnLimit], spend_cap: int | None) -> Subscription:
    """Replaces the tenant's own limits. spend_cap: minor units of the plan's currency, None for none.

    They bind at once, also below what is used; the operator's and the plan's limits go on to bind beside them. Raises
    BadLimit. actor: public id, for the audit.
    """
    known = meters_of(tenant=tenant)
    if not all(meter in known and limit.is_sound for meter, limit in limits.items()):
        raise BadLimit
    if spend_cap is not None and not 0 <= spend_cap <= MAX_QUANTITY:
        raise BadLimit
    period = current_period(tenant=tenant)
    subscription = Subscription.objects.of(tenant).select_for_update(of=("self",)).get()
    if spend_cap != subscription.spend_cap:
        UsageAlert.objects.of(tenant).filter(meter=SPENDING).delete()  # another cap is warned of anew
        subscription.cap_watched_at = None
    stored = {meter: {"soft": limit.soft, "hard": limit.hard} for meter, limit in limits.items() if limit != OwnLimit()}
    subscription.own_limits_json, subscription.spend_cap = stored, spend_cap
    subscription.save(update_fields=["own_limits_json", "spend_cap", "cap_watched_at", "updated_at"])
    _apply(subscription, period)
    facts = {"limits": stored, "spend_cap": spend_cap}
    record_audit(tenant=tenant, actor=actor, action="limits.set", target=tenant.public_id, facts=facts)
    return subscription


def _apply(subscription: Subscription, period: BillingPeriod) -> None:
    """Brings the running period's quotas to what the subscription says now.

    Other limits are warned of anew, and the data plane hears of them through the next look at its allowance.
    """
    tenant_id, now = subscription.tenant_id, clock.now()
    for quota in Quota.objects.of(tenant_id).filter(period=period).order_by("meter"):
        values = {"check_at": now, **allowed(subscription, period, quota.meter)}
        if quota.watched_limit != Quota(**allowed(subscription, period, quota.meter)).watched_limit:
            values["watched_percent"] = 0
            UsageAlert.objects.of(tenant_id).filter(period=period, meter=quota.meter, application_id=0).delete()
        Quota.objects.of(tenant_id).filter(pk=quota.pk).update(**values)
