"""The usage report by application or campaign: who used the most of each meter in the days asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.billing.meters import Aggregation, Meter
from apps.billing.reports import Grain
from apps.campaigns.models import Campaign
from apps.core import ids
from apps.core.charts import Bar, bar_chart
from apps.dashboard.usage.forms import BY_CAMPAIGN
from apps.dashboard.usage.report import Asked, MeterChart
from apps.tenants.models import Application, Tenant

_DRAWN = 8
_LISTED = 500


@dataclass(frozen=True, slots=True)
class PartRow:
    """An application or campaign. campaign_id: empty when there is no page to lead to."""

    name: str
    campaign_id: str
    quantities: list[int]


@dataclass(frozen=True, slots=True)
class Parts:
    """is_cut: there are more than are listed; the CSV has them all."""

    title: str
    charts: list[MeterChart]
    rows: list[PartRow]
    is_cut: bool


def parts_of(asked: Asked, by: str, applications: Sequence[Application]) -> Parts:
    """The largest first, by the first meter that tells them apart; only meters of which something was used."""
    is_campaign = by == BY_CAMPAIGN
    used: dict[str, dict[str, int]] = defaultdict(dict)
    for figure in asked.figures(Grain.WHOLE, by_application=not is_campaign, by_campaign=is_campaign):
        key = (figure.campaign or "") if is_campaign else str(figure.application_id or 0)
        used[key][figure.meter] = figure.quantity
    if is_campaign:  # what no campaign sent says nothing here
        used.pop("", None)
    meters = [meter for meter in asked.meters if any(meter.name in each for each in used.values())]
    keys = sorted(used, key=lambda key: [-used[key].get(meter.name, 0) for meter in meters])
    names = _campaign_names(asked.tenant, keys[:_LISTED]) if is_campaign else _application_names(applications)
    rows = [
        PartRow(
            names.get(key, key if is_campaign else _("No application")),
            key if is_campaign and key in names else "",
            [used[key].get(meter.name, 0) for meter in meters],
        )
        for key in keys[:_LISTED]
    ]
    charts = [_chart(number, meter, rows) for number, meter in enumerate(meters)]
    return Parts(_("Campaign") if is_campaign else _("Application"), charts, rows, len(keys) > _LISTED)


def _application_names(applications: Sequence[Application]) -> dict[str, str]:
    return {str(application.pk): application.name for application in applications}


def _campaign_names(tenant: Tenant, public_ids: Sequence[str]) -> dict[str, str]:
    found = [ids.decode(Campaign.public_id_prefix, each) for each in public_ids]
    numbers = [number for number in found if number is not None]
    return {campaign.public_id: campaign.name for campaign in Campaign.objects.of(tenant).filter(pk__in=numbers)}


def _chart(number: int, meter: Meter, rows: Sequence[PartRow]) -> MeterChart:
    largest = sorted(rows, key=lambda row: -row.quantities[number])[:_DRAWN]
    bars = [
        Bar(row.name[:14], row.quantities[number], f"{row.name}: {intcomma(row.quantities[number])}") for row in largest
    ]
    description = ngettext("The largest one.", "The %(count)d largest.", len(bars)) % {"count": len(bars)}
    quantities = [row.quantities[number] for row in rows]
    total = max(quantities) if meter.aggregation in {Aggregation.MAX, Aggregation.LATEST} else sum(quantities)
    return MeterChart(
        meter, total, bar_chart(bars, title=str(meter.title), description=description, series=1 + number % 4)
    )
