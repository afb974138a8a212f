"""Subscriptions and their running periods, opened when somebody first needs them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import transaction

from apps.billing.catalogue import FREE, current_version
from apps.billing.errors import BadLimit
from apps.billing.meters import METERS
from apps.billing.models import BillingPeriod, Quota, Subscription, TenantMeter, UsageAlert
from apps.billing.periods import Span, span_after, span_at
from apps.core import clock
from apps.tenants.models import Tenant


def subscription_of(*, tenant: Tenant) -> Subscription:
    """The tenant's subscription; the free plan by the calendar month when it has chosen none yet."""
    found = Subscription.objects.of(tenant).select_related("plan_version__plan").first()
    if found is not None:
        return found
    today = clock.now().astimezone(ZoneInfo(tenant.timezone)).date()
    fresh = Subscription(tenant=tenant, plan_version=current_version(FREE), anchor_on=today.replace(day=1))
    Subscription.objects.bulk_create([fresh], ignore_conflicts=True)
    return Subscription.objects.of(tenant).select_related("plan_version__plan").get()


def current_period(*, tenant: Tenant, at: datetime | None = None) -> BillingPeriod:
    """The period that holds this instant (default: now), opened with its quotas if it was not yet."""
    instant = at or clock.now()
    return _find(tenant, instant) or _open(tenant, instant)


def open_periods(first: datetime, last: datetime, *, tenant: Tenant) -> None:
    """Makes sure that every instant from first to last lies in a period."""
    instant = first
    while instant <= last:
        instant = current_period(tenant=tenant, at=instant).ends_at


def _find(tenant: Tenant, instant: datetime) -> BillingPeriod | None:
    periods = BillingPeriod.objects.of(tenant).filter(starts_at__lte=instant, ends_at__gt=instant)
    return periods.select_related("plan_version__plan").first()


@transaction.atomic
def _open(tenant: Tenant, instant: datetime) -> BillingPeriod:
    subscription_of(tenant=tenant)
    # Whoever opens a period holds the subscription, so two cannot open the same one.
    subscription = Subscription.objects.of(tenant).select_for_update(of=("self",)).get()
    zone, anchor = ZoneInfo(tenant.timezone), subscription.anchor_on
    while (found := _find(tenant, instant)) is None:
        earlier = BillingPeriod.objects.of(tenant).filter(ends_at__lte=instant).order_by("-ends_at").first()
        later = BillingPeriod.objects.of(tenant).filter(starts_at__gt=instant).order_by("starts_at").first()
        if earlier is not None:
            span = span_after(earlier.ends_at, anchor=anchor, zone=zone)
        else:
            span = span_at(instant, anchor=anchor, zone=zone)
        if later is not None:
            span = Span(span.starts_at, min(span.ends_at, later.starts_at))
        _create(subscription, span)
    return found


def _create(subscription: Subscription, span: Span) -> None:
    period = BillingPeriod.objects.create(
        tenant_id=subscription.tenant_id,
        plan_version=subscription.plan_version,
        starts_at=span.starts_at,
        ends_at=span.ends_at,
    )
    Quota.objects.bulk_create(
        Quota(tenant_id=subscription.tenant_id, period=period, meter=meter, **allowed(subscription, meter))
        for meter in (*METERS, *_own_meters(subscription))
    )


def _own_meters(subscription: Subscription) -> list[str]:
    return list(TenantMeter.objects.of(subscription.tenant_id).order_by("pk").values_list("name", flat=True))


def allowed(subscription: Subscription, meter: str) -> dict[str, int | None]:
    """What a quota of this meter says: the plan's or the operator's limit and the tenant's own, the tighter one."""
    charge = subscription.plan_version.terms.charge_for(meter)
    limit = subscription.limits_json.get(meter, charge.limit if charge else None)
    own = subscription.own_limits_json.get(meter, {})
    hard = [bound for bound in (limit, own.get("hard")) if bound is not None]
    return {
        "included": charge.included if charge else 0,
        "hard_limit": min(hard, default=None),
        "soft_limit": own.get("soft"),
    }


def set_plan(
    *, tenant: Tenant, code: str | None = None, limits: Mapping[str, int | None] | None = None
) -> Subscription:
    """Gives the tenant the newest version of a plan and limits of its own; what is not given stays.

    It holds for the whole running period: the period is rated by the terms it has when it ends, and the new limits
    bind at once, also when more than they allow is used already. Raises UnknownPlan, BadLimit.
    """
    for meter, limit in (limits or {}).items():
        if meter not in METERS or (limit is not None and limit < 0):
            raise BadLimit
    period = current_period(tenant=tenant)
    subscription = Subscription.objects.of(tenant).select_for_update(of=("self",)).get()
    if code is not None:
        subscription.plan_version = current_version(code)
    subscription.limits_json = {**subscription.limits_json, **(limits or {})}
    subscription.save(update_fields=["plan_version", "limits_json", "updated_at"])
    BillingPeriod.objects.of(tenant).filter(pk=period.pk).update(plan_version=subscription.plan_version)
    # Other limits are warned of anew, and the data plane hears of them through the next look at its allowance.
    UsageAlert.objects.of(tenant).filter(period=period).delete()
    for quota in Quota.objects.of(tenant).filter(period=period):
        values = {"watched_percent": 0, "check_at": clock.now(), **allowed(subscription, quota.meter)}
        Quota.objects.of(tenant).filter(pk=quota.pk).update(**values)
    return subscription
