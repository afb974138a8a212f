"""What a cycle costs, as usage stands: the same reckoning for a preview, a draft and the final invoice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Sum

from apps.billing.burning import Burn, Due, burn
from apps.billing.models import BillingPeriod, BillingProfile, Invoice, InvoiceLine, InvoiceStatus
from apps.billing.money import add
from apps.billing.rating import by_tax_code, rate
from apps.billing.records import OLDEST
from apps.billing.services.credits import discounts_for, profile_of, taxes_of, usable_credits
from apps.billing.services.periods import current_period, periods_of_cycle, used_in
from apps.billing.statement import Item, Statement, state
from apps.core import clock
from apps.tenants.models import Tenant

ADJUSTMENT = "adjustment"
_YEAR = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Entry:
    """A line to be. amount: by the plan, before discounts and tax."""

    kind: str
    period: BillingPeriod
    meter: str
    quantity: int
    billable: int
    amount: Decimal
    tax_code: str


@dataclass(frozen=True, slots=True)
class Bill:
    """entries and statement.items go together. burns: what prepaid credit would pay; their positions are entries'."""

    starts_at: datetime
    ends_at: datetime
    entries: tuple[Entry, ...]
    statement: Statement
    burns: tuple[Burn, ...]

    @property
    def wallet(self) -> int:
        return sum(each.units for each in self.burns)


def reckon(
    *,
    tenant: Tenant,
    periods: Sequence[BillingPeriod],
    used: Mapping[int, Mapping[str, int]] | None = None,
    profile: BillingProfile | None = None,
    hold: bool = False,
) -> Bill:
    """The bill of a cycle's periods. hold: prepaid credit stays as it is read until the end of the transaction.
    used, profile: when the caller has read them.

    Late usage of earlier cycles is billed along, at their prices; when that makes the whole less than nothing, what
    is in the tenant's favour of it waits for the next bill.
    """
    currency = periods[0].plan_version.terms.currency
    used = used_in(tenant=tenant, periods=periods) if used is None else used
    own = [entry for period in periods for entry in _entries(period, used[period.pk])]
    late = _adjustments(tenant, currency, before=periods[0].starts_at)
    if add(entry.amount for entry in [*own, *late]) < 0:
        late = [entry for entry in late if entry.amount > 0]
    entries = [*own, *late]
    ends_at = periods[-1].ends_at
    statement = state(
        currency,
        [Item(entry.amount, entry.tax_code, entry.meter) for entry in entries],
        discounts=discounts_for(tenant=tenant, currency=currency, ends_at=ends_at),
        taxes=taxes_of(profile or profile_of(tenant=tenant)),
    )
    dues = [Due(entry.meter, units) for entry, units in zip(entries, statement.dues, strict=True)]
    burns = burn(dues, usable_credits(tenant=tenant, currency=currency, hold=hold)) if statement.total > 0 else []
    return Bill(periods[0].starts_at, ends_at, tuple(entries), statement, tuple(burns))


def reckon_running(*, tenant: Tenant) -> Bill:
    """The bill of the running cycle, if it ended when it will with no more usage."""
    cycle = current_period(tenant=tenant).cycle
    return reckon(tenant=tenant, periods=periods_of_cycle(tenant=tenant, starts_at=cycle.starts_at))


def _entries(period: BillingPeriod, used: Mapping[str, int]) -> list[Entry]:
    """One period's lines by its plan; charges that nothing was used of and that cost nothing are left out."""
    terms = period.terms
    entries = []

    def code_of(meter: str) -> str:
        charge = terms.charge_for(meter)
        return charge.tax_code if charge else ""

    for line, tax_code, amount in by_tax_code(rate(terms, used).lines, code_of):
        if amount or line.quantity > 0:
            entries.append(Entry(line.kind, period, line.meter, line.quantity, line.billable, amount, tax_code))
    return entries


def _adjustments(tenant: Tenant, currency: str, *, before: datetime) -> list[Entry]:
    """rate(all usage) - billed, for each meter of the cycles that were billed and that usage may still have come for.

    A year back: that long an annual plan's tenant has had no invoice to put it on.
    """
    settled = [InvoiceStatus.FINALISED, InvoiceStatus.DISCARDED]
    invoices = Invoice.objects.of(tenant).filter(status__in=settled, currency=currency, ends_at__lte=before)
    starts = set(invoices.filter(ends_at__gt=clock.now() - OLDEST - _YEAR).values_list("starts_at", flat=True))
    if not starts:
        return []
    ended = BillingPeriod.objects.of(tenant).filter(ends_at__lte=before, starts_at__gte=min(starts))
    periods = [
        period
        for period in ended.select_related("plan_version__plan").order_by("starts_at")
        if period.cycle.starts_at in starts
    ]
    lines = InvoiceLine.objects.of(tenant).filter(period__in=periods, coupon=None, invoice__status__in=settled)
    sums = lines.values_list("period_id", "meter").annotate(Sum("amount"), Sum("quantity"))
    billed: dict[int, dict[str, tuple[Decimal, int]]] = {period.pk: {} for period in periods}
    for period_id, meter, amount, quantity in sums:
        billed[period_id or 0][meter] = (amount, quantity)
    used = used_in(tenant=tenant, periods=periods)
    return [
        entry
        for period in periods
        for entry in _adjustments_of(period, _entries(period, used[period.pk]), billed[period.pk])
    ]


def _adjustments_of(
    period: BillingPeriod, rated: Sequence[Entry], billed: Mapping[str, tuple[Decimal, int]]
) -> Iterator[Entry]:
    now: dict[str, list[Entry]] = defaultdict(list)
    for entry in rated:
        now[entry.meter].append(entry)
    for meter in sorted({*now, *billed}):
        amount, quantity = billed.get(meter, (Decimal(0), 0))
        more = add([*(entry.amount for entry in now[meter]), -amount])
        units = sum(entry.quantity for entry in now[meter]) - quantity if meter else 1
        if more:
            tax_code = now[meter][0].tax_code if now[meter] else ""
            yield Entry(ADJUSTMENT, period, meter, units, units, more, tax_code)
