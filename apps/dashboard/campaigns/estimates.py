"""What the editor is told while a campaign is written: how many people, and which text each of them gets."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from apps.audience.models import SubscriberQuerySet
from apps.audience.queries import audience_of
from apps.campaigns.readers import readership_of
from apps.core.errors import HouseError
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.campaigns.forms import CampaignForm
from apps.dashboard.errors import NoApplication
from apps.dashboard.messaging.content import variants
from apps.messaging.models import Template


@page("campaigns.read")
@require_POST
def audience_count(request: DashboardRequest) -> HttpResponse:
    """How many people the form's audience is, while it is chosen."""
    context: dict[str, object] = {}
    try:
        people = _audience(request, CampaignForm(request.POST, request))
        context["count"] = people.count() if people is not None else None
    except HouseError as error:
        context["problem"] = error
    return render(request, "dashboard/campaigns/_audience.html", context)


@page("campaigns.read")
@require_POST
def campaign_readers(request: DashboardRequest) -> HttpResponse:
    """For each language of the audience the text that its readers get, as the words stand in the editor."""
    form = CampaignForm(request.POST, request)
    context: dict[str, object] = {}
    try:
        people, offered = _audience(request, form), _languages(request, form)
        if people is not None and offered:
            context["readership"] = readership_of(people, offered, request.tenant.language)
    except HouseError as error:
        context["problem"] = error
    return render(request, "dashboard/campaigns/_readers.html", context)


def _audience(request: DashboardRequest, form: CampaignForm) -> SubscriberQuerySet | None:
    """None while it is not yet chosen. Raises AudienceInvalid."""
    if request.application is None:
        raise NoApplication
    form.is_valid()
    if {"people", "segment", "external_ids"} & set(form.errors):
        return None
    return audience_of(tenant=request.tenant, application=request.application, audience=form.audience)


def _languages(request: DashboardRequest, form: CampaignForm) -> list[str]:
    """Of the words in the editor, or of the template that is chosen."""
    if request.POST.get("source", "own") == "own":
        words = variants(request.POST, None, language=request.tenant.language)
        words.is_valid()
        return [tag for one in words.kept if (tag := one.cleaned_data.get("language"))]
    templates = Template.objects.of(request.tenant).filter(application=request.application)
    chosen = form.cleaned_data.get("template")
    return list(templates.access(chosen).content) if chosen else []
