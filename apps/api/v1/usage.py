"""`/api/v1/usage`: what was used in a range of time, and what is left of the running period."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.api.base import ApiRequest, ApiView
from apps.billing.errors import BadRange
from apps.billing.forecast import CONFIDENCE, METHOD
from apps.billing.meters import Meter
from apps.billing.money import major
from apps.billing.outlook import Outlook, outlook_of
from apps.billing.periods import start_of_day
from apps.billing.queries import MeterStanding, Standing, standing_of
from apps.billing.reports import Grain, UsageFigure, usage_report
from apps.billing.services import meters_of
from apps.core import clock
from apps.core.errors import InvalidInput, NotFound
from apps.tenants.models import Application

_GROUPS = ("meter", "day", "hour", "application", "campaign")
_YEARS = range(2000, 2101)
_GROUP_BY = "Comma-separated: `meter`, `day` or `hour`, `application`, `campaign`. A row always names its meter."
_BOUND = "A day in the tenant's time zone (`2026-05-20`) or an instant with offset (`2026-05-20T10:00:00Z`). "
PARAMETERS = [
    OpenApiParameter("from", str, description=_BOUND + "Default: the start of the running period."),
    OpenApiParameter("to", str, description=_BOUND + "A day is included whole, an instant is not. Default: today."),
    OpenApiParameter("group_by", str, description=_GROUP_BY + " Default: `meter,day`."),
    OpenApiParameter("meter", str, description="Only this meter, of the house or of your own."),
    OpenApiParameter("application", str, description="Only this application (its decimal id)."),
    OpenApiParameter("campaign", str, description="Only this campaign: its sends and pushes."),
]


class UsageRowSerializer(serializers.Serializer[Any]):
    """`day`, `hour`, `application` and `campaign` appear when the rows are grouped by them."""

    meter = serializers.CharField()
    day = serializers.DateField(required=False)
    hour = serializers.DateTimeField(required=False)
    application = serializers.CharField(required=False, allow_null=True)
    campaign = serializers.CharField(required=False, allow_null=True, help_text="Null for what no campaign sent.")
    quantity = serializers.IntegerField()


class MeterStandingSerializer(serializers.Serializer[Any]):
    meter = serializers.CharField()
    used = serializers.IntegerField()
    reserved = serializers.IntegerField(help_text="Promised to sends under way.")
    included = serializers.IntegerField()
    limit = serializers.IntegerField(allow_null=True, help_text="The hard limit; null for none.")
    remaining = serializers.IntegerField(allow_null=True)
    resets_at = serializers.DateTimeField()


class CostSerializer(serializers.Serializer[Any]):
    currency = serializers.CharField()
    amount = serializers.CharField(help_text="So far, over the whole cycle, a decimal number.")


class ForecastSerializer(serializers.Serializer[Any]):
    """The cost at the end of the cycle, decimal numbers in the currency of `cost`."""

    expected = serializers.CharField()
    low = serializers.CharField()
    high = serializers.CharField()
    confidence = serializers.IntegerField(help_text="Per cent of cycles that end between low and high.")
    method = serializers.CharField()


class PeriodSerializer(serializers.Serializer[Any]):
    starts_at = serializers.DateTimeField()
    resets_at = serializers.DateTimeField()
    plan = serializers.CharField()
    cost = CostSerializer()
    forecast = ForecastSerializer(allow_null=True, help_text="Null while there are not seven whole days to go by.")
    meters = MeterStandingSerializer(many=True)


class UsageSerializer(serializers.Serializer[Any]):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    timezone = serializers.CharField()
    group_by = serializers.ListField(child=serializers.CharField())
    data = UsageRowSerializer(many=True)  # type: ignore[assignment]  # a field, not the serializer's own property
    totals = serializers.DictField(child=serializers.IntegerField(), help_text="Per meter, over the whole range.")
    period = PeriodSerializer()

    def get_fields(self) -> dict[str, Any]:
        """`from` and `to`, which cannot be names of attributes."""
        names = {"start": "from", "end": "to"}
        return {names.get(name, name): field for name, field in super().get_fields().items()}


class Usage(ApiView):
    permissions = {"GET": "usage.read"}

    @extend_schema(operation_id="get_usage", parameters=PARAMETERS, responses=UsageSerializer)
    def get(self, request: ApiRequest) -> Response:
        """Usage by meter, day or hour, application, campaign; with the running period's limits, cost and forecast."""
        asked = request.query_params
        zone, groups = ZoneInfo(request.tenant.timezone), _groups(asked)
        standing = standing_of(tenant=request.tenant)
        start, end = _range(asked, zone, standing)
        options: dict[str, Any] = {
            "tenant": request.tenant,
            "start": start,
            "end": end,
            "meters": _meters(asked, meters_of(tenant=request.tenant)),
            "application_id": _application(request),
            "campaign": _campaign(asked),
        }
        figures = usage_report(
            grain=_grain(groups), by_application="application" in groups, by_campaign="campaign" in groups, **options
        )
        totals = usage_report(grain=Grain.WHOLE, **options)
        names = _application_names(request) if "application" in groups else {}
        return Response(
            {
                "from": start.astimezone(zone),
                "to": end.astimezone(zone),
                "timezone": request.tenant.timezone,
                "group_by": groups,
                "data": [_row(figure, groups, names, zone) for figure in figures],
                "totals": dict.fromkeys(options["meters"], 0) | {row.meter: row.quantity for row in totals},
                "period": _period(standing, outlook_of(tenant=request.tenant, standing=standing)),
            }
        )


def _groups(asked: Mapping[str, str]) -> list[str]:
    groups = [name.strip() for name in (asked.get("group_by") or "meter,day").split(",")]
    if not set(groups) <= set(_GROUPS) or {"day", "hour"} <= set(groups):
        raise InvalidInput(fields={"group_by": [_("Use meter, application, campaign, and one of day and hour.")]})
    return groups


def _grain(groups: list[str]) -> Grain:
    return next((grain for grain in (Grain.DAY, Grain.HOUR) if grain in groups), Grain.WHOLE)


def _meters(asked: Mapping[str, str], meters: dict[str, Meter]) -> dict[str, Meter]:
    wanted = asked.get("meter")
    if not wanted:
        return meters
    if wanted not in meters:
        raise InvalidInput(fields={"meter": [_("There is no such meter.")]})
    return {wanted: meters[wanted]}


def _application(request: ApiRequest) -> int | None:
    wanted = request.query_params.get("application")
    if not wanted:
        return None
    found = Application.objects.of(request.tenant).filter(application_id=wanted).values_list("pk", flat=True).first()
    if found is None:
        raise NotFound
    return found


def _campaign(asked: Mapping[str, str]) -> str | None:
    """A name that no usage carries finds none; the neighbour's are not looked at."""
    wanted = asked.get("campaign")
    if wanted and "\x00" in wanted:
        raise NotFound
    return wanted or None


def _application_names(request: ApiRequest) -> dict[int, str]:
    return dict(Application.objects.of(request.tenant).values_list("pk", "application_id"))


def _range(asked: Mapping[str, str], zone: ZoneInfo, standing: Standing) -> tuple[datetime, datetime]:
    first, last = asked.get("from"), asked.get("to")
    start = _instant("from", first, zone, days=0) if first else standing.period.starts_at
    today = clock.now().astimezone(zone).date().isoformat()
    end = _instant("to", last or today, zone, days=1)
    return start, end


def _instant(name: str, text: str, zone: ZoneInfo, *, days: int) -> datetime:
    """The start of the day (or of the `days` next one), or the instant itself."""
    moment: date | datetime | None
    try:
        # An offset's plus sign that was not escaped in the URL arrives as a space.
        moment = parse_date(text) or parse_datetime(re.sub(r" (?=\d\d:?\d\d$)", "+", text))
    except ValueError:
        moment = None
    if moment is None or moment.year not in _YEARS:
        raise BadRange(fields={name: [_("Write a day as 2026-05-20 or an instant as 2026-05-20T10:00:00Z.")]})
    if not isinstance(moment, datetime):
        return start_of_day(moment + timedelta(days=days), zone)
    if moment.tzinfo is None:
        raise BadRange(fields={name: [_("An instant needs an offset, such as Z or +08:00.")]})
    return moment


def _row(figure: UsageFigure, groups: list[str], names: Mapping[int, str], zone: ZoneInfo) -> dict[str, Any]:
    row: dict[str, Any] = {"meter": figure.meter}
    if "day" in groups:
        row["day"] = figure.at.astimezone(zone).date().isoformat()
    if "hour" in groups:
        row["hour"] = figure.at
    if "application" in groups:
        row["application"] = names.get(figure.application_id or 0)
    if "campaign" in groups:
        row["campaign"] = figure.campaign or None
    return {**row, "quantity": figure.quantity}


def _period(standing: Standing, outlook: Outlook | None) -> dict[str, Any]:
    period, rating = standing.period, standing.rating
    return {
        "starts_at": period.starts_at,
        "resets_at": period.ends_at,
        "plan": period.plan_version.plan.code,
        "cost": {"currency": rating.currency, "amount": str(major(standing.cost, rating.currency))},
        "forecast": _forecast(outlook) if outlook else None,
        "meters": [_meter(meter, period.ends_at) for meter in standing.meters],
    }


def _forecast(outlook: Outlook) -> dict[str, Any]:
    amounts = {"expected": outlook.expected, "low": outlook.low, "high": outlook.high}
    shown = {name: str(major(units, outlook.currency)) for name, units in amounts.items()}
    return {**shown, "confidence": CONFIDENCE, "method": METHOD}


def _meter(standing: MeterStanding, resets_at: datetime) -> dict[str, Any]:
    return {
        "meter": standing.meter.name,
        "used": standing.used,
        "reserved": standing.reserved,
        "included": standing.included,
        "limit": standing.limit,
        "remaining": standing.remaining,
        "resets_at": resets_at,
    }
