"""The reports: which columns each has, where its rows come from and what is drawn of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.billing import overview
from apps.billing.meters import METERS
from apps.billing.money import major
from apps.billing.services.invoicing import bill_of
from apps.core.charts import Bar, bar_chart
from apps.operations.admin.base import money
from apps.operations.metrics import measured
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope

_BARS = 12


@dataclass(frozen=True, slots=True)
class Row:
    """cells: text per column. tenant: whose row it is. late: makes cells that need the tenant's own scope."""

    cells: tuple[str, ...]
    tenant: Tenant | None = None
    late: Callable[[], tuple[str, ...]] | None = None

    def finished(self) -> Row:
        return self if self.late is None else Row((*self.cells, *self.late()), self.tenant)


@dataclass(frozen=True, slots=True)
class Column:
    title: Any
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Figures:
    """What a report says now. note: one sentence over the table."""

    rows: Sequence[Row]
    charts: Sequence[tuple[str, SafeString]] = field(default_factory=tuple)
    note: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """name: in the URL. read: runs in the operators' role. empty: said when there is nothing."""

    name: str
    title: Any
    text: Any
    empty: Any
    columns: tuple[Column, ...]
    read: Callable[[], Figures]


def _revenue() -> Figures:
    found = overview.revenue(months=12)
    rows = [
        Row((f"{each.month:%Y-%m}", each.plan or _("discounts and credit notes"), each.currency,
             str(major(each.units, each.currency))))
        for each in found
    ]  # fmt: skip
    by_currency: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for each in found:
        by_currency[each.currency][f"{each.month:%Y-%m}"] += each.units
    charts = [
        (currency, _chart(f"{_('Revenue')} {currency}", [
            (month, max(0, int(major(units, currency))), money(units, currency))
            for month, units in sorted(months.items())
        ]))
        for currency, months in sorted(by_currency.items())
    ]  # fmt: skip
    return Figures(rows, charts)


def _movers() -> Figures:
    found = overview.top_movers()
    rows = [
        Row((each.tenant.name, str(METERS[each.meter].title), f"{each.before:,}", f"{each.now:,}",
             f"{each.change:+,}", _percent(each)), each.tenant)
        for each in found
    ]  # fmt: skip
    top = [(each.tenant.name, abs(each.change), f"{each.tenant.name}: {each.change:+,}") for each in found[:_BARS]]
    return Figures(rows, [(_("Largest changes"), _chart(_("Largest changes"), top))] if top else [])


def _percent(mover: overview.Mover) -> str:
    return f"{mover.change * 100 // mover.before:+d} %" if mover.before else _("new")


def _unbilled() -> Figures:
    drafts = list(overview.drafts())
    rows = [
        Row(
            (draft.tenant.name, f"{localtime(draft.ends_at):%Y-%m-%d %H:%M}",
             f"{localtime(draft.finalise_at):%Y-%m-%d %H:%M}"),
            draft.tenant,
            lambda draft=draft: _estimate(draft),  # type: ignore[misc]
        )
        for draft in drafts
    ]  # fmt: skip
    days = Counter(f"{localtime(draft.finalise_at):%m-%d}" for draft in drafts)
    soonest = [(day, count, f"{day}: {count}") for day, count in sorted(days.items())[:_BARS]]
    charts = [(_("Drafts by the day of their invoice"), _chart(_("Drafts by the day of their invoice"), soonest))]
    shown = charts if soonest else []
    figures = measured()
    waiting, differing = figures.get("usage_backlog"), figures.get("billing_delivered_minus_billed")
    if waiting is None or differing is None:
        return Figures(rows, shown, _("The worker has measured nothing yet."))
    note = _("Delivered − billed: %(units)d. Records that wait to be counted: %(waiting)d.")
    return Figures(rows, shown, note % {"units": differing, "waiting": waiting})


def _estimate(draft: Any) -> tuple[str, ...]:
    with tenant_scope(draft.tenant_id):
        total = bill_of(tenant=draft.tenant, invoice=draft).statement.total
    return (money(total, draft.currency),)


def _limits() -> Figures:
    found = overview.near_limits()
    rows = [
        Row((quota.tenant.name, _meter(quota.meter), f"{quota.used + quota.reserved:,}", f"{quota.hard_limit:,}",
             f"{_share(quota)} %", f"{localtime(quota.period.ends_at):%Y-%m-%d}"), quota.tenant)
        for quota in found
    ]  # fmt: skip
    fullest = [(quota.tenant.name, _share(quota), f"{quota.tenant.name}: {_share(quota)} %") for quota in found[:_BARS]]
    return Figures(rows, [(_("Fullest, in %"), _chart(_("Fullest, in %"), fullest, limit=100))] if fullest else [])


def _meter(name: str) -> str:
    return str(METERS[name].title) if name in METERS else name


def _share(quota: Any) -> int:
    return int((quota.used + quota.reserved) * 100 // quota.hard_limit)


def _stopped() -> Figures:
    found = overview.stopped()
    rows = [
        Row((each.tenant.name, str(each.tenant.standing.label),
             f"{localtime(each.since):%Y-%m-%d %H:%M}" if each.since else "",
             each.reason, ", ".join(money(units, currency) for currency, units in each.owed.items())), each.tenant)
        for each in found
    ]  # fmt: skip
    standings = Counter(str(each.tenant.standing.label) for each in found)
    bars = [(standing, count, f"{standing}: {count}") for standing, count in standings.most_common()]
    title = _("Organisations by standing")
    return Figures(rows, [(title, _chart(title, bars))] if bars else [])


def _chart(title: str, bars: Sequence[tuple[str, int, str]], *, limit: int | None = None) -> SafeString:
    shown = [Bar(label, value, text) for label, value, text in bars]
    return bar_chart(shown, title=title, description="; ".join(text for _label, _value, text in bars), limit=limit)


_WHO = Column(gettext_lazy("Organisation"))
REPORTS = {
    report.name: report
    for report in (
        Report(
            "revenue",
            gettext_lazy("Revenue"),
            gettext_lazy("Net of finalised invoices, less credit notes, by month, plan and currency."),
            gettext_lazy("No invoice was finalised in the last twelve months."),
            (Column(gettext_lazy("Month")), Column(gettext_lazy("Plan")), Column(gettext_lazy("Currency")),
             Column(gettext_lazy("Net"), is_number=True)),
            _revenue,
        ),
        Report(
            "movers",
            gettext_lazy("Top movers"),
            gettext_lazy("Usage of the last seven days against the seven before, the largest changes first."),
            gettext_lazy("Nothing was used in the last two weeks."),
            (_WHO, Column(gettext_lazy("Meter")), Column(gettext_lazy("The week before"), is_number=True),
             Column(gettext_lazy("Last seven days"), is_number=True), Column(gettext_lazy("Change"), is_number=True),
             Column(gettext_lazy("In percent"), is_number=True)),
            _movers,
        ),
        Report(
            "unbilled",
            gettext_lazy("Unbilled usage"),
            gettext_lazy("Cycles that ended and whose invoice is a draft, with what it would say now."),
            gettext_lazy("No draft waits: everything that ended is billed."),
            (_WHO, Column(gettext_lazy("Cycle ended (UTC)")), Column(gettext_lazy("Due to be final (UTC)")),
             Column(gettext_lazy("Total so far"), is_number=True)),
            _unbilled,
        ),
        Report(
            "limits",
            gettext_lazy("Near their limits"),
            gettext_lazy("Who has used at least four fifths of a hard limit of the running period."),
            gettext_lazy("Nobody is near a limit."),
            (_WHO, Column(gettext_lazy("Meter")), Column(gettext_lazy("Used"), is_number=True),
             Column(gettext_lazy("Limit"), is_number=True), Column(gettext_lazy("Share"), is_number=True),
             Column(gettext_lazy("Period ends"))),
            _limits,
        ),
        Report(
            "stopped",
            gettext_lazy("Parked and stopped"),
            gettext_lazy("Who is not billed until figures agree, and who may do less for a bill or an operator."),
            gettext_lazy("Everybody is in good standing."),
            (_WHO, Column(gettext_lazy("Standing")), Column(gettext_lazy("Parked since (UTC)")),
             Column(gettext_lazy("Reason")), Column(gettext_lazy("Open"), is_number=True)),
            _stopped,
        ),
    )
}  # fmt: skip
