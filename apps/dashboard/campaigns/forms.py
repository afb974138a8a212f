"""Forms of campaigns. They check shape; rules live in the services."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from apps.audience.models import Segment
from apps.campaigns.models import Campaign
from apps.dashboard.access import DashboardRequest
from apps.dashboard.providers.standing import route_states
from apps.dashboard.route_names import in_usual_order, route_name
from apps.messaging.ledger.states import UnknownPolicy
from apps.messaging.models import Template
from apps.messaging.sending.strategies import Strategy
from apps.providers.registry import provider_names

_PEOPLE = [("all", _("Everyone")), ("segment", _("A segment")), ("ids", _("Named subscribers"))]
_WORDS = [("own", _("Write them here")), ("template", _("Take a template’s"))]
_POLICIES = [
    (UnknownPolicy.AT_MOST_ONCE, _("Never twice: leave it, marked as unknown")),
    (UnknownPolicy.AT_LEAST_ONCE, _("Rather twice than never: send it again")),
]
_STRATEGIES = [
    (Strategy.IN_SEQUENCE, _("One after the other, in this order")),
    (Strategy.REALTIME_FIRST, _("The app’s own connection first, then the others")),
    (Strategy.ROUTE_FIRST, _("The others first, then the app’s own connection")),
    (Strategy.REALTIME_ONLY, _("The app’s own connection alone")),
    (Strategy.ROUTE_ONLY, _("Everything but the app’s own connection")),
    (Strategy.ALL, _("All at once")),
]


class RoutesWidget(forms.CheckboxSelectMultiple):
    """closed: routes that cannot be chosen now."""

    closed: set[str] = set()  # replaced per form, never changed

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(name, value, *args, **kwargs)
        if str(value) in self.closed:
            option["attrs"]["disabled"] = True
        return option


def _with_state(route: str, states: Mapping[str, str]) -> SafeString:
    pill = render_to_string("dashboard/providers/_state.html", {"state": states[route]}) if route in states else ""
    return format_html("<span>{}</span> {}", route_name(route), pill)


class CampaignForm(forms.Form):
    """A plan, except the words. Choices belong to the current application."""

    name = forms.CharField(label=_("Name"), max_length=120, help_text=_("Only your team sees it."))
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    people = forms.ChoiceField(label=_("Who gets it"), choices=_PEOPLE, widget=forms.RadioSelect, initial="all")
    segment = forms.ChoiceField(label=_("Segment"), required=False)
    external_ids = forms.CharField(
        label=_("External ids"), required=False, max_length=200_000, widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("One per line."),
    )  # fmt: skip
    source = forms.ChoiceField(label=_("Words"), choices=_WORDS, widget=forms.RadioSelect, initial="own")
    template = forms.ChoiceField(label=_("Template"), required=False)
    routes = forms.MultipleChoiceField(
        label=_("How it is delivered"), widget=RoutesWidget, initial=["realtime"],
        help_text=_("Tried in this order until one reaches the person."),
    )  # fmt: skip
    strategy = forms.ChoiceField(
        label=_("How these go together"), choices=_STRATEGIES, initial=Strategy.IN_SEQUENCE, required=False,
        help_text=_(
            "Each way costs a send. One after the other goes on to the next only for people whom the one before did "
            "not reach; all at once reaches a person on every way that they have."
        ),
    )  # fmt: skip
    unknown_policy = forms.ChoiceField(
        label=_("If a crash leaves it open whether somebody got it"), choices=_POLICIES, widget=forms.RadioSelect,
        initial=UnknownPolicy.AT_MOST_ONCE,
        help_text=_("A machine may stop between handing it over and hearing the answer. A receipt settles it later."),
    )  # fmt: skip

    def __init__(self, data: Any, request: DashboardRequest, campaign: Campaign | None = None) -> None:
        super().__init__(data, initial=_initial(campaign) if campaign else None)
        segments = Segment.objects.of(request.tenant).filter(application=request.application).order_by("name")
        templates = Template.objects.of(request.tenant).filter(application=request.application).order_by("name")
        self._choose("segment", [(segment.public_id, segment.name) for segment in segments])
        self._choose("template", [(template.public_id, template.name) for template in templates])
        self._offer_routes(request, campaign)

    def _offer_routes(self, request: DashboardRequest, campaign: Campaign | None) -> None:
        """Each with its health; one that lacks its credential can only be chosen where it was chosen before."""
        states: dict[str, str] = {}
        if request.application is not None:
            states = route_states(tenant=request.tenant, application=request.application)
        self._choose("routes", [(name, _with_state(name, states)) for name in in_usual_order(provider_names())])
        widget = self.fields["routes"].widget
        assert isinstance(widget, RoutesWidget)
        chosen = campaign.routes if campaign else []
        widget.closed = {name for name, state in states.items() if state == "none" and name not in chosen}

    def _choose(self, name: str, choices: list[tuple[str, Any]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = self.cleaned_data
        if cleaned.get("people") == "segment" and not cleaned.get("segment"):
            self.add_error("segment", _("Choose a segment."))
        if cleaned.get("people") == "ids" and not cleaned.get("external_ids"):
            self.add_error("external_ids", _("Name at least one subscriber."))
        if cleaned.get("source") == "template" and not cleaned.get("template"):
            self.add_error("template", _("Choose a template."))
        return cleaned

    @property
    def audience(self) -> dict[str, Any]:
        people = self.cleaned_data["people"]
        if people == "segment":
            return {"segment_id": self.cleaned_data["segment"]}
        if people == "ids":
            return {"external_ids": list(dict.fromkeys(self.cleaned_data["external_ids"].split()))}
        return {"all": True}


def _initial(campaign: Campaign) -> dict[str, Any]:
    audience = campaign.audience
    return {
        "name": campaign.name,
        "version": campaign.version,
        "people": "segment" if "segment_id" in audience else "ids" if "external_ids" in audience else "all",
        "segment": audience.get("segment_id"),
        "external_ids": "\n".join(audience.get("external_ids", [])),
        "source": "template" if campaign.template else "own",
        "template": campaign.template.public_id if campaign.template else None,
        "routes": campaign.routes,
        "strategy": campaign.strategy,
        "unknown_policy": campaign.unknown_policy,
    }


class ScheduleForm(forms.Form):
    """Now, or at a time in the tenant's zone."""

    when = forms.ChoiceField(
        label=_("When"), choices=[("now", _("Now")), ("later", _("At a time"))], widget=forms.RadioSelect, initial="now"
    )
    send_at = forms.DateTimeField(
        label=_("Time"), required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
    )  # fmt: skip

    def __init__(self, data: Any, zone: str) -> None:
        super().__init__(data)
        self.zone = zone
        self.fields["send_at"].help_text = _("In the time zone of your organisation, %(zone)s.") % {"zone": zone}

    def full_clean(self) -> None:
        with timezone.override(ZoneInfo(self.zone)):
            super().full_clean()

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = self.cleaned_data
        if cleaned.get("when") == "later" and not cleaned.get("send_at") and "send_at" not in self.errors:
            self.add_error("send_at", _("Choose a time."))
        return cleaned

    @property
    def instant(self) -> datetime | None:
        """None means now."""
        chosen: datetime | None = self.cleaned_data["send_at"]
        return chosen if self.cleaned_data["when"] == "later" else None
