"""What the stand-ins of a demo are told to do wrong, so that one can watch what the product makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from apps.core.errors import NotFound
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.route_names import route_name
from apps.providers.counterparts.subscribing import faults, switch_fault
from apps.providers.errors import NetworkSilent

_NAMES = {
    "none": gettext_lazy("Nothing: works again"),
    "busy": gettext_lazy("Too many requests (429), Retry-After 5 s"),
    "down": gettext_lazy("Down (503)"),
    "slow": gettext_lazy("Answers after 3 s"),
    "reset": gettext_lazy("Resets the stream"),
    "cut": gettext_lazy("Cuts the connection"),
    "goaway": gettext_lazy("Says goodbye (GOAWAY) in the middle"),
    "certificate": gettext_lazy("Shows a wrong certificate"),
    "gone": gettext_lazy("Says the device is gone"),
}
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Standing:
    """A stand-in with a fault on. left: requests that it still spoils; 0: until it is switched off."""

    label: Any
    fault: Any
    left: int


class FaultForm(forms.Form):
    """told: as the stand-ins say what they are and can."""

    network = forms.ChoiceField(label=gettext_lazy("Network"))
    fault = forms.ChoiceField(label=gettext_lazy("Does wrong"), choices=list(_NAMES.items()), initial="busy")
    count = forms.IntegerField(label=gettext_lazy("Requests"), min_value=1, max_value=_MOST, initial=3)

    def __init__(self, data: Any, told: list[dict[str, Any]]) -> None:
        super().__init__(data)
        self._choices = {str(one["network"]): one["choices"] for one in told}
        self.fields["network"].choices = [(name, route_name(name)) for name in self._choices]  # type: ignore[attr-defined]  # of a ChoiceField

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = self.cleaned_data
        if "fault" in given and given["fault"] not in self._choices.get(given.get("network", ""), ()):
            self.add_error("fault", _("This network cannot do that."))
        return given


def standing() -> tuple[FaultForm | None, list[Standing]]:
    """The form, and what is on. No form where no stand-ins run or none answers."""
    if not settings.STAND_INS_URL:
        return None, []
    try:
        told = faults()
    except NetworkSilent:
        return None, []
    on = [
        Standing(route_name(one["network"]), _NAMES[one["fault"]], one["left"])
        for one in told
        if one["fault"] != "none"
    ]
    return FaultForm(None, told), on


@page("console.publish", in_scope=False)
@require_POST
def phones_fault(request: DashboardRequest) -> HttpResponse:
    """Switches one fault of one stand-in. Raises NotFound where there are none, NetworkSilent."""
    if not settings.STAND_INS_URL:
        raise NotFound
    form = FaultForm(request.POST, faults())
    if form.is_valid():
        given = form.cleaned_data
        switch_fault(given["network"], given["fault"], given["count"])
        messages.success(request, _("Switched. Send something, and watch the push network\u2019s page."))
    else:
        messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
    return redirect("dashboard:phones")
