"""Subscriptions and their running periods, opened when somebody first needs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import F, Sum

from apps.billing.catalogue import FREE, current_version
from apps.billing.errors import BadLimit
from apps.billing.meters import METERS, Aggregation
from apps.billing.models import (
    SPENDING,
    BillingPeriod,
    Quota,
    Reservation,
    Subscription,
    TenantMeter,
    UsageAlert,
    UsageEvent,
)
from apps.billing.periods import Span, share_of, span_after, span_at
from apps.billing.pricing import Proration
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


def periods_of_cycle(*, tenant: Tenant, starts_at: datetime) -> list[BillingPeriod]:
    """The periods of the cycle that starts then, in order; the plan changed between them."""
    periods = BillingPeriod.objects.of(tenant).select_related("plan_version__plan").order_by("starts_at")
    alone = periods.filter(cycle_starts_at=None, starts_at=starts_at)
    return list(alone | periods.filter(cycle_starts_at=starts_at))


def used_in(*, tenant: Tenant, periods: Sequence[BillingPeriod]) -> dict[int, dict[str, int]]:
    """Number of a period -> meter -> units."""
    found: dict[int, dict[str, int]] = {period.pk: {} for period in periods}
    for quota in Quota.objects.of(tenant).filter(period__in=periods):
        found[quota.period_id][quota.meter] = quota.used
    return found


def open_periods(first: datetime, last: datetime, *, tenant: Tenant) -> None:
    """Makes sure that every instant from first to last lies in a period."""
    if BillingPeriod.objects.of(tenant).filter(starts_at__lte=first, ends_at__gt=last).exists():
        return
    instant = first
    while instant <= last:
        instant = current_period(tenant=tenant, at=instant).ends_at


def _find(tenant: Tenant, instant: datetime) -> BillingPeriod | None:
    before = _last_before(tenant, instant)
    return before if before is not None and before.ends_at > instant else None


def _last_before(tenant: Tenant, instant: datetime) -> BillingPeriod | None:
    """The newest period that had begun by then; it may be over."""
    periods = BillingPeriod.objects.of(tenant).filter(starts_at__lte=instant).order_by("-starts_at")
    return periods.select_related("plan_version__plan").first()


@transaction.atomic
def _open(tenant: Tenant, instant: datetime) -> BillingPeriod:
    # Whoever opens a period holds the subscription, so two cannot open the same one.
    subscription = _held(tenant)
    zone, anchor, step = ZoneInfo(tenant.timezone), subscription.anchor_on, subscription.plan_version.terms.months
    period = _last_before(tenant, instant)
    later = BillingPeriod.objects.of(tenant).filter(starts_at__gt=instant).order_by("starts_at").first()
    while period is None or period.ends_at <= instant:
        if period is not None:
            span = span_after(period.ends_at, anchor=anchor, zone=zone, step=step)
        else:
            span = span_at(instant, anchor=anchor, zone=zone, step=step)
        if later is not None:
            span = Span(span.starts_at, min(span.ends_at, later.starts_at))
        period = _create(subscription, span, cycle=span, share=Fraction(1))
    return period


def _held(tenant: Tenant) -> Subscription:
    found = Subscription.objects.of(tenant).select_related("plan_version__plan").select_for_update(of=("self",))
    subscription = found.first()
    if subscription is None:
        subscription_of(tenant=tenant)
        subscription = found.get()
    return subscription


def _create(subscription: Subscription, span: Span, *, cycle: Span, share: Fraction) -> BillingPeriod:
    period = BillingPeriod.objects.create(
        tenant_id=subscription.tenant_id,
        plan_version=subscription.plan_version,
        starts_at=span.starts_at,
        ends_at=span.ends_at,
        cycle_starts_at=cycle.starts_at,
        cycle_ends_at=cycle.ends_at,
        share_numerator=share.numerator,
        share_denominator=share.denominator,
    )
    Quota.objects.bulk_create(
        Quota(tenant_id=subscription.tenant_id, period=period, meter=meter, **allowed(subscription, period, meter))
        for meter in (*METERS, *_own_meters(subscription))
    )
    return period


def _own_meters(subscription: Subscription) -> list[str]:
    return list(TenantMeter.objects.of(subscription.tenant_id).order_by("pk").values_list("name", flat=True))


def allowed(subscription: Subscription, period: BillingPeriod, meter: str) -> dict[str, int | None]:
    """What a quota of this meter says: the plan's or the operator's limit and the tenant's own, the tighter one."""
    charge = period.terms.charge_for(meter)
    limit = subscription.limits_json.get(meter, charge.limit if charge else None)
    own = subscription.own_limits_json.get(meter, {})
    gone = _used_before(period, meter) if own else 0
    soft, own_hard = (None if own.get(kind) is None else max(0, own[kind] - gone) for kind in ("soft", "hard"))
    hard = [bound for bound in (limit, own_hard) if bound is not None]
    return {
        "included": charge.included if charge else 0,
        "hard_limit": min(hard, default=None),
        "soft_limit": soft,
    }


def _used_before(period: BillingPeriod, meter: str) -> int:
    """Of a meter that is a sum, in the parts of the cycle before a change of plan: the tenant's own limits hold over
    it all."""
    known = METERS.get(meter)
    if period.cycle.starts_at == period.starts_at or (known and known.aggregation is not Aggregation.SUM):
        return 0
    quotas = Quota.objects.of(period.tenant_id).filter(
        meter=meter, period__starts_at__gte=period.cycle.starts_at, period__starts_at__lt=period.starts_at
    )
    return quotas.aggregate(units=Sum("used"))["units"] or 0


def set_plan(
    *, tenant: Tenant, code: str | None = None, limits: Mapping[str, int | None] | None = None
) -> Subscription:
    """Gives the tenant the newest version of a plan and limits of its own; what is not given stays.

    Another plan begins now: the running period is closed, and the rest of the cycle is a period of the new plan. New
    limits bind at once, also when more than they allow is used already. Raises UnknownPlan, BadLimit.
    """
    for meter, limit in (limits or {}).items():
        if meter not in METERS or (limit is not None and limit < 0):
            raise BadLimit
    current_period(tenant=tenant)
    subscription = _held(tenant)
    subscription.limits_json = {**subscription.limits_json, **(limits or {})}
    period = current_period(tenant=tenant)
    if code is not None and (version := current_version(code)) != period.plan_version:
        subscription.plan_version = version
        period = _change_plan(subscription, period)
    subscription.save(update_fields=["plan_version", "anchor_on", "limits_json", "updated_at"])
    # Other limits are warned of anew, and the data plane hears of them through the next look at its allowance.
    UsageAlert.objects.of(tenant).filter(period=period, application_id=0).exclude(meter=SPENDING).delete()
    for quota in Quota.objects.of(tenant).filter(period=period):
        values = {"watched_percent": 0, "check_at": clock.now(), **allowed(subscription, period, quota.meter)}
        Quota.objects.of(tenant).filter(pk=quota.pk).update(**values)
    return subscription


def _change_plan(subscription: Subscription, period: BillingPeriod) -> BillingPeriod:
    """Ends the period now and opens one of the subscription's plan in its place.

    Terms of another currency or length of cycle begin a cycle of their own, anchored to this day: one invoice has one
    currency. What was recorded for later than now moves with the rest of the cycle.
    """
    tenant, old, new = subscription.tenant, period.plan_version.terms, subscription.plan_version.terms
    list(Quota.objects.of(tenant).filter(period=period).order_by("pk").select_for_update())  # nobody counts meanwhile
    now, zone = clock.now(), ZoneInfo(tenant.timezone)
    rest = cycle = period.cycle
    if (old.currency, old.months) != (new.currency, new.months):
        subscription.anchor_on = now.astimezone(zone).date()
        rest = Span(now, span_at(now, anchor=subscription.anchor_on, zone=zone, step=new.months).ends_at)
    after = Span(max(now, period.starts_at), rest.ends_at)
    share = share_of(after, rest, zone=zone, by_days=new.proration is Proration.DAY)
    if now <= period.starts_at:  # nothing of it has passed
        BillingPeriod.objects.of(tenant).filter(pk=period.pk).delete()
        return _create(subscription, after, cycle=rest, share=share)
    ended = share_of(Span(period.starts_at, now), cycle, zone=zone, by_days=old.proration is Proration.DAY)
    period.cycle_starts_at, period.cycle_ends_at, period.ends_at = cycle.starts_at, cycle.ends_at, now
    period.share_numerator, period.share_denominator = ended.numerator, ended.denominator
    period.save(update_fields=["cycle_starts_at", "cycle_ends_at", "ends_at", "share_numerator", "share_denominator"])
    opened = _create(subscription, after, cycle=rest, share=share)
    _move_what_comes_later(period, opened)
    _move_what_is_promised(period, opened)
    return opened


def _move_what_comes_later(ended: BillingPeriod, opened: BillingPeriod) -> None:
    """Sums that were recorded for the minutes ahead of the change belong to the period that it opened."""
    later = UsageEvent.objects.of(ended.tenant_id).filter(
        meter__in=[meter.name for meter in METERS.values() if meter.aggregation is Aggregation.SUM],
        occurred_at__gte=opened.starts_at,
    )
    for meter, quantity in later.values_list("meter").annotate(Sum("quantity")):
        quotas = Quota.objects.of(ended.tenant_id).filter(meter=meter)
        quotas.filter(period=ended).update(used=F("used") - quantity)
        quotas.filter(period=opened).update(used=F("used") + quantity)


def _move_what_is_promised(ended: BillingPeriod, opened: BillingPeriod) -> None:
    """Sends under way are recorded under the new plan, so what is reserved for them goes there too."""
    tenant_id = ended.tenant_id
    for quota in Quota.objects.of(tenant_id).filter(period=ended, reserved__gt=0):
        later = Quota.objects.of(tenant_id).get(period=opened, meter=quota.meter)
        Reservation.objects.of(tenant_id).filter(quota=quota).update(quota=later)
        Quota.objects.of(tenant_id).filter(pk=later.pk).update(reserved=F("reserved") + quota.reserved)
        Quota.objects.of(tenant_id).filter(pk=quota.pk).update(reserved=0)
