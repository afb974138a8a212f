"""Which usage to show, and the pairs of limits per meter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.billing.meters import Meter
from apps.billing.records import MAX_QUANTITY
from apps.billing.reports import LONGEST
from apps.billing.services import meters_of
from apps.billing.services.limits import OwnLimit
from apps.dashboard.access import DashboardRequest

BY_APPLICATION, BY_CAMPAIGN = "application", "campaign"
_EARLIEST = date(2000, 1, 1)
_DAYS = LONGEST.days - 2  # a range may start or end in a day of 25 hours


class UsageFilter(forms.Form):
    """What is left empty is the running period, all applications, all meters."""

    start = forms.DateField(label=_("From"), widget=forms.DateInput({"type": "date"}))
    end = forms.DateField(label=_("To"), widget=forms.DateInput({"type": "date"}))
    application = forms.ChoiceField(label=_("Application"), required=False)
    meter = forms.ChoiceField(label=_("Meter"), required=False)
    by = forms.ChoiceField(
        label=_("By"), required=False,
        choices=[("", _("Day")), (BY_APPLICATION, _("Application")), (BY_CAMPAIGN, _("Campaign"))],
    )  # fmt: skip

    def __init__(self, request: DashboardRequest, *, first: date, last: date) -> None:
        # The days are always shown: what was not asked for is the running period.
        days = {"start": first.isoformat(), "end": last.isoformat()}
        super().__init__({**days, **{name: value for name, value in request.GET.items() if value}})
        self.meters = meters_of(tenant=request.tenant)
        applications = [(application.public_id, application.name) for application in request.applications]
        application, meter = self.fields["application"], self.fields["meter"]
        application.choices = [("", _("All applications")), *applications]  # type: ignore[attr-defined]
        meter.choices = [("", _("All meters")), *((m.name, m.title) for m in self.meters.values())]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = {**self.cleaned_data}
        start, end = cleaned.get("start"), cleaned.get("end")
        if start is None or end is None:
            return cleaned
        if end < start:
            self.add_error("end", _("The last day lies before the first."))
        elif end - start > timedelta(days=_DAYS) or start < _EARLIEST or end.year > 2100:
            self.add_error("start", _("Choose at most %(days)d days.") % {"days": _DAYS})
        return cleaned


class UnitLimitsForm(forms.Form):
    """A pair of fields per meter, where to warn and where to refuse; what is left empty is no limit."""

    def __init__(self, data: Any, meters: Mapping[str, Meter], own: Mapping[str, OwnLimit]) -> None:
        super().__init__(data)
        self._meters = list(meters)
        for name, meter in meters.items():
            limit = own.get(name, OwnLimit())
            for kind, label, value in (("soft", _("Warn at"), limit.soft), ("hard", _("Refuse beyond"), limit.hard)):
                self.fields[f"{kind}-{name}"] = forms.IntegerField(
                    label=f"{label}: {meter.title}", required=False, min_value=0, max_value=MAX_QUANTITY, initial=value
                )

    def pairs(self) -> Iterator[tuple[str, forms.BoundField, forms.BoundField]]:
        for name in self._meters:
            yield name, self[f"soft-{name}"], self[f"hard-{name}"]

    @property
    def limits(self) -> dict[str, OwnLimit]:
        chosen = self.cleaned_data
        return {name: OwnLimit(chosen[f"soft-{name}"], chosen[f"hard-{name}"]) for name in self._meters}

    def clean(self) -> dict[str, Any]:
        for name in self._meters:
            soft, hard = self.cleaned_data.get(f"soft-{name}"), self.cleaned_data.get(f"hard-{name}")
            if soft is not None and hard is not None and soft > hard:
                self.add_error(f"soft-{name}", _("Warn before you refuse: this is above the limit."))
        return self.cleaned_data
