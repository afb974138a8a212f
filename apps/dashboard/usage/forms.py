"""Which usage to show: days, application, meter."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.billing.reports import LONGEST
from apps.billing.services import meters_of
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
