"""What is left and what it costs so far: the reads that the usage page and the REST API share."""

from __future__ import annotations

from dataclasses import dataclass

from apps.billing.meters import METERS, Meter
from apps.billing.models import SPENDING, BillingPeriod, Quota, UsageAlert
from apps.billing.money import add, posted
from apps.billing.pricing import Charge
from apps.billing.rating import Rating, rate
from apps.billing.services.own_meters import meters_of
from apps.billing.services.periods import current_period, periods_of_cycle, subscription_of, used_in
from apps.tenants.models import Application, Tenant


@dataclass(frozen=True, slots=True)
class MeterStanding:
    """One meter in the running period. charge: what the plan says of it, None when it says nothing."""

    meter: Meter
    used: int
    reserved: int
    included: int
    limit: int | None
    charge: Charge | None
    alerts: tuple[int, ...]

    @property
    def percent(self) -> int | None:
        """Of the limit, whole and rounded down; None without a limit."""
        if self.limit is None:
            return None
        return 100 if self.limit == 0 else min(100, self.used * 100 // self.limit)

    @property
    def remaining(self) -> int | None:
        return None if self.limit is None else max(0, self.limit - self.used - self.reserved)


@dataclass(frozen=True, slots=True)
class Standing:
    """The running period: what is used, what is left, and what it costs so far.

    earlier: what the parts of the cycle cost that lie before a change of plan. cap: the most that usage may cost in a
    cycle, in minor units, None for none; cap_alert: the highest threshold of it that was warned of.
    """

    period: BillingPeriod
    meters: tuple[MeterStanding, ...]
    rating: Rating
    earlier: tuple[Rating, ...]
    cap: int | None
    cap_alert: int | None

    @property
    def cost(self) -> int:
        """Of the whole cycle, in minor units: rounded once, as its invoice is."""
        return posted(add(rating.precise for rating in (*self.earlier, self.rating)), self.rating.currency)

    @property
    def earlier_cost(self) -> int:
        return posted(add(rating.precise for rating in self.earlier), self.rating.currency)


def standing_of(*, tenant: Tenant) -> Standing:
    """The running period of the tenant, opened when nobody needed it before."""
    period = current_period(tenant=tenant)
    terms = period.terms
    quotas = {quota.meter: quota for quota in Quota.objects.of(tenant).filter(period=period)}
    raised = _raised_in(period, tenant)
    meters = tuple(
        MeterStanding(
            meter=meter,
            used=quotas[name].used,
            reserved=quotas[name].reserved,
            included=quotas[name].included,
            limit=quotas[name].hard_limit,
            charge=terms.charge_for(name),
            alerts=tuple(raised.get(name, [])),
        )
        for name, meter in meters_of(tenant=tenant).items()
        if name in quotas
    )
    cycle = periods_of_cycle(tenant=tenant, starts_at=period.cycle.starts_at)
    return Standing(
        period=period,
        meters=meters,
        rating=rate(terms, {standing.meter.name: standing.used for standing in meters}),
        earlier=_earlier(tenant, cycle, period),
        cap=subscription_of(tenant=tenant).spend_cap,
        cap_alert=max(_raised_in(cycle[0], tenant).get(SPENDING, []), default=None),
    )


def _raised_in(period: BillingPeriod, tenant: Tenant) -> dict[str, list[int]]:
    """Meter -> thresholds of the tenant's own limits that were warned of."""
    raised: dict[str, list[int]] = {}
    for alert in UsageAlert.objects.of(tenant).filter(period=period, application_id=0).order_by("threshold"):
        raised.setdefault(alert.meter, []).append(alert.threshold)
    return raised


@dataclass(frozen=True, slots=True)
class ApplicationNotice:
    """An application has used this share of a limit of its own. threshold: 80 or 100 percent."""

    application: Application
    meter: Meter
    threshold: int
    used: int
    limit: int


def application_notices(*, tenant: Tenant) -> list[ApplicationNotice]:
    """What was warned of in the running cycle, from 80 % on; the highest threshold of each limit."""
    period = current_period(tenant=tenant)
    first = periods_of_cycle(tenant=tenant, starts_at=period.cycle.starts_at)[0]
    alerts = UsageAlert.objects.of(tenant).filter(period=first, application_id__gt=0, threshold__gte=80)
    highest = {(alert.application_id, alert.meter): alert for alert in alerts.order_by("threshold")}
    named = Application.objects.of(tenant).in_bulk([application_id for application_id, _meter in highest])
    return [
        ApplicationNotice(named[application_id], METERS[meter], alert.threshold, alert.used, alert.hard_limit)
        for (application_id, meter), alert in sorted(highest.items(), key=lambda item: -item[1].threshold)
        if application_id in named and meter in METERS
    ]


def _earlier(tenant: Tenant, cycle: list[BillingPeriod], running: BillingPeriod) -> tuple[Rating, ...]:
    before = [period for period in cycle if period.starts_at < running.starts_at]
    used = used_in(tenant=tenant, periods=before)
    return tuple(rate(period.terms, used[period.pk]) for period in before)
