"""The editor of a campaign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from apps.campaigns.errors import ExperimentInvalid, ScheduleInvalid, SendingRuleInvalid
from apps.campaigns.models import Campaign
from apps.campaigns.services import create_campaign, update_campaign
from apps.campaigns.services.editing import Plan
from apps.campaigns.states import may_change
from apps.core.errors import HouseError
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.campaigns.after_forms import AfterForm, after_initial, as_fields
from apps.dashboard.campaigns.arms import Arms
from apps.dashboard.campaigns.experiment_forms import ExperimentForm, experiment_initial
from apps.dashboard.campaigns.forms import CampaignForm
from apps.dashboard.campaigns.timing_forms import TimingForm
from apps.dashboard.campaigns.views import campaigns_of
from apps.dashboard.errors import NoApplication
from apps.dashboard.forms import add_errors
from apps.dashboard.messaging.content import known_attributes, someone
from apps.messaging.content.rendering import Content
from apps.messaging.errors import ContentMissing, ContentTooLarge, FollowUpInvalid, HandlingInvalid, TemplateInvalid
from apps.messaging.ledger.states import UnknownPolicy
from apps.messaging.models import Template
from apps.messaging.sending.strategies import Strategy


@page("campaigns.write")
@require_http_methods(["GET", "POST"])
def campaign_create(request: DashboardRequest) -> HttpResponse:
    return _edit(request, None)


@page("campaigns.write")
@require_http_methods(["GET", "POST"])
def campaign_edit(request: DashboardRequest, public_id: str) -> HttpResponse:
    campaign = campaigns_of(request).access(public_id)
    if not may_change(campaign.status, campaign.next_at):
        return redirect("dashboard:campaign", public_id)
    return _edit(request, campaign)


def _edit(request: DashboardRequest, campaign: Campaign | None) -> HttpResponse:
    if request.application is None:
        raise NoApplication
    editor = Editor.of(request, campaign)
    if request.method == "POST" and editor.is_valid():
        saved = editor.save()
        if saved is not None:
            return redirect("dashboard:campaign", saved.public_id)
    context = {
        **editor.context(),
        "campaign": campaign,
        "someone": someone(request),
        "attributes": known_attributes(request),
    }
    return render(request, "dashboard/campaigns/edit.html", context)


@dataclass(frozen=True, slots=True)
class Editor:
    """The forms of the page, which are saved together or not at all."""

    request: DashboardRequest
    campaign: Campaign | None
    form: CampaignForm
    timing: TimingForm
    after: AfterForm
    experiment: ExperimentForm
    arms: Arms

    @classmethod
    def of(cls, request: DashboardRequest, campaign: Campaign | None) -> Editor:
        data = request.POST or None
        return cls(
            request,
            campaign,
            CampaignForm(data, request, campaign),
            TimingForm(data, request, campaign),
            AfterForm(data, initial=after_initial(campaign) if campaign else None),
            ExperimentForm(data, initial=experiment_initial(campaign)),
            Arms(data, campaign, language=request.tenant.language),
        )

    def context(self) -> dict[str, Any]:
        names = ("form", "timing", "after", "experiment", "arms")
        return {name: getattr(self, name) for name in names}

    @property
    def is_own(self) -> bool:
        """Whether the words are written here, and not a template’s."""
        return bool(self.request.POST.get("source", "own") == "own")

    def is_valid(self) -> bool:
        forms = [self.form, self.timing, self.after, self.experiment]
        sound = all([*(form.is_valid() for form in forms), self.arms.is_valid(own=self.is_own)])
        return sound and self.arms.parses(own=self.is_own)

    def save(self) -> Campaign | None:
        """The saved campaign, or None with the refusal on the forms."""
        request, campaign = self.request, self.campaign
        assert request.application is not None
        try:
            if campaign is not None:
                seen = self.form.cleaned_data["version"]
                return update_campaign(tenant=request.tenant, campaign=campaign, plan=self._plan(), version=seen)
            return create_campaign(
                tenant=request.tenant, application=request.application, plan=self._plan(), created_by=request.user
            )
        except HouseError as error:
            self._refuse(error)
        return None

    def _refuse(self, error: HouseError) -> None:
        if isinstance(error, TemplateInvalid | ContentMissing | ContentTooLarge):
            self.arms.first.add_faults(error)
        elif isinstance(error, ScheduleInvalid | SendingRuleInvalid):
            add_errors(self.timing, _on_fields(error))
        elif isinstance(error, FollowUpInvalid | HandlingInvalid):
            add_errors(self.after, as_fields(error))
        elif isinstance(error, ExperimentInvalid):
            self.experiment.add_faults(error, self.arms)
        else:
            add_errors(self.form, error)

    def _plan(self) -> Plan:
        chosen = self.form.cleaned_data
        content, template = self._words()
        base = template.content if template else content
        assert base is not None
        return Plan(
            name=chosen["name"],
            audience=self.form.audience,
            routes=chosen["routes"],
            strategy=Strategy(chosen["strategy"] or Strategy.IN_SEQUENCE),
            content=content,
            template=template,
            unknown_policy=UnknownPolicy(chosen["unknown_policy"]),
            schedule=self.timing.schedule,
            experiment=self.experiment.experiment(self.arms, base),
            **self.timing.limits(),
            **self.after.plan,
        )

    def _words(self) -> tuple[Content | None, Template | None]:
        """The campaign’s own, or the template."""
        if self.is_own:
            return self.arms.content(), None
        templates = Template.objects.of(self.request.tenant).filter(application=self.request.application)
        return None, templates.access(self.form.cleaned_data["template"])


def _on_fields(error: HouseError) -> HouseError:
    """The same refusal, by the names that the editor's fields have."""
    names = {"quiet_hours": "quiet_from", "frequency_cap": "cap_days"}
    fields = {name.removeprefix("schedule."): sentences for name, sentences in error.fields.items()}
    return type(error)(error.message, fields={names.get(name, name): said for name, said in fields.items()})
