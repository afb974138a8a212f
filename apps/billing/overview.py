"""What the installation earns, bills and carries, over all tenants: reads for the operators' reports.

Each expects the operators' role to be borrowed and is bounded; amounts are minor units.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import BigIntegerField, F, Max, Q, Sum
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, TruncMonth

from apps.billing.meters import METERS, Aggregation
from apps.billing.models import (
    BillingProfile,
    CreditNote,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    Quota,
    UsageRollup,
)
from apps.core import clock
from apps.tenants.models import Tenant
from apps.tenants.standing import Standing

MOST_ROWS = 2_000
_WEEK = timedelta(days=7)
_NEAR = 0.8


@dataclass(frozen=True, slots=True)
class Revenue:
    """Net of a month's finalised invoices, less its credit notes. plan: empty for what no plan's line says."""

    month: date
    plan: str
    currency: str
    units: int


def revenue(*, months: int) -> list[Revenue]:
    """Newest month first."""
    since = _months_back(clock.now(), months - 1)
    sums: dict[tuple[date, str, str], int] = defaultdict(int)
    lines = InvoiceLine.objects.get_queryset().filter(
        invoice__status=InvoiceStatus.FINALISED, invoice__finalised_at__gte=since
    )
    plan = F("period__plan_version__plan__name")
    billed = lines.annotate(month=TruncMonth("invoice__finalised_at"), plan=plan, currency=F("invoice__currency"))
    for month, name, currency, units in billed.values_list("month", "plan", "currency").annotate(Sum("posted")):
        sums[month.date(), name or "", currency] += units
    notes = CreditNote.objects.get_queryset().filter(created_at__gte=since)
    net = Sum(Cast(KeyTextTransform("", "parts_json"), BigIntegerField()))
    taken = notes.annotate(month=TruncMonth("created_at"), currency=F("invoice__currency"))
    for month, currency, units in (
        taken.values("month", "currency").annotate(net=net).values_list("month", "currency", "net")
    ):
        sums[month.date(), "", currency] -= units or 0
    return [
        Revenue(*key, units) for key, units in sorted(sums.items(), key=lambda item: (-item[0][0].toordinal(), item[0]))
    ]


@dataclass(frozen=True, slots=True)
class Mover:
    """A tenant's units of a meter in the last seven days, and in the seven before."""

    tenant: Tenant
    meter: str
    now: int
    before: int

    @property
    def change(self) -> int:
        return self.now - self.before


def top_movers() -> list[Mover]:
    """The largest changes first, up or down. Of a level (peak connections) the largest of each week counts."""
    now = clock.now()
    rows = UsageRollup.objects.get_queryset().filter(hour__gte=now - 2 * _WEEK, hour__lte=now, meter__in=METERS)
    recent, earlier = Q(hour__gte=now - _WEEK), Q(hour__lt=now - _WEEK)
    sums = (
        rows.values("tenant_id", "meter")
        .annotate(
            week=Sum("total", filter=recent),
            week_before=Sum("total", filter=earlier),
            level=Max("peak", filter=recent),
            level_before=Max("peak", filter=earlier),
        )
        .values_list("tenant_id", "meter", "week", "week_before", "level", "level_before")
    )
    found: list[tuple[int, int, str, int, int]] = []
    for tenant_id, meter, *figures in sums:
        is_level = METERS[meter].aggregation is Aggregation.MAX
        week, week_before = (figure or 0 for figure in (figures[2:] if is_level else figures[:2]))
        found.append((-abs(week - week_before), tenant_id, meter, week, week_before))
    kept = sorted(found)[:MOST_ROWS]
    tenants = Tenant.objects.in_bulk([row[1] for row in kept])
    return [Mover(tenants[tenant_id], meter, week, before) for _, tenant_id, meter, week, before in kept]


def drafts() -> list[Invoice]:
    """Invoices of cycles that ended and are not final yet, the longest waiting first."""
    waiting = Invoice.objects.get_queryset().filter(status=InvoiceStatus.DRAFT).select_related("tenant")
    return list(waiting.order_by("ends_at", "pk")[:MOST_ROWS])


def near_limits() -> list[Quota]:
    """Running quotas of which at least 80 % of the hard limit is used or reserved, the fullest first."""
    now = clock.now()
    running = Quota.objects.get_queryset().filter(period__starts_at__lte=now, period__ends_at__gt=now, hard_limit__gt=0)
    near = running.annotate(share=(F("used") + F("reserved")) * 1.0 / F("hard_limit")).filter(share__gte=_NEAR)
    return list(near.select_related("tenant", "period").order_by("-share", "pk")[:MOST_ROWS])


@dataclass(frozen=True, slots=True)
class Stopped:
    """since, reason: of a parked tenant. owed: open amounts by currency."""

    tenant: Tenant
    since: datetime | None
    reason: str
    owed: dict[str, int]


def stopped() -> list[Stopped]:
    """Tenants that are parked, overdue, restricted or suspended, by name."""
    parked = BillingProfile.objects.get_queryset().exclude(parked_at=None)
    profiles = {profile.tenant_id: profile for profile in parked[:MOST_ROWS]}
    good = Q(unpaid_standing=Standing.GOOD, operator_standing=Standing.GOOD)
    tenants = list(Tenant.objects.filter(~good | Q(pk__in=list(profiles))).order_by("name", "pk")[:MOST_ROWS])
    owed: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    final = Invoice.objects.get_queryset().filter(tenant__in=tenants, status=InvoiceStatus.FINALISED)
    for invoice in final:
        if invoice.open_amount:
            owed[invoice.tenant_id][invoice.currency] += invoice.open_amount
    return [
        Stopped(
            tenant,
            profiles[tenant.pk].parked_at if tenant.pk in profiles else None,
            profiles[tenant.pk].parked_reason if tenant.pk in profiles else tenant.suspension_reason,
            dict(owed[tenant.pk]),
        )
        for tenant in tenants
    ]


def _months_back(instant: datetime, months: int) -> datetime:
    """The start of the month so many before the instant's, UTC."""
    number = instant.year * 12 + instant.month - 1 - months
    return instant.replace(year=number // 12, month=number % 12 + 1, day=1, hour=0, minute=0, second=0, microsecond=0)
