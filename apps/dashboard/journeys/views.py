"""Looking at journeys, and the editor."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from apps.audience.models import Segment, Subscriber
from apps.audience.queries import event_names
from apps.audience.services.preferences import categories_of
from apps.campaigns.journeys.explaining import Passed, explain_journey
from apps.campaigns.journeys.freezing import frozen
from apps.campaigns.journeys.history import difference, versions_of
from apps.campaigns.journeys.models import EntryState, Journey, JourneyStatus, JourneyVersion
from apps.campaigns.journeys.queries import counts_of_journeys, counts_of_steps, entries_of
from apps.campaigns.journeys.services import create_journey, update_journey
from apps.campaigns.services.approving import is_approval_needed
from apps.core.errors import HouseError
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.errors import NoApplication
from apps.dashboard.forms import add_errors
from apps.dashboard.journeys.forms import JourneyForm
from apps.dashboard.journeys.picture import KIND_NAMES, cards_of, condition_words
from apps.dashboard.messaging.typed import typed
from apps.messaging.models import Template
from apps.providers.registry import provider_names
from apps.tenants.models import TenantQuerySet

_PER_PAGE = 25


def journeys_of(request: DashboardRequest) -> TenantQuerySet[Journey]:
    journeys = Journey.objects.of(request.tenant).filter(application=request.application)
    return journeys.select_related("application", "tenant")


@page("campaigns.read")
@require_safe
def journey_list(request: DashboardRequest) -> HttpResponse:
    query, status = typed(request.GET, "q"), request.GET.get("status", "")
    found = journeys_of(request).order_by("-pk")
    if query:
        found = found.filter(name__icontains=query)
    if status in list(JourneyStatus):
        found = found.filter(status=status)
    page_obj = Paginator(found, _PER_PAGE).get_page(request.GET.get("page"))
    rows = list(page_obj.object_list)
    counts = counts_of_journeys(rows)
    context = {
        "page_obj": page_obj,
        "rows": [(journey, counts[journey.pk]) for journey in rows],
        "query": query,
        "status": status,
        "statuses": list(JourneyStatus),
    }
    return render(request, "dashboard/journeys/list.html", context)


@page("campaigns.read")
@require_safe
def journey(request: DashboardRequest, public_id: str) -> HttpResponse:
    """The newest published version with its counts; of one that was never published, the draft."""
    shown = journeys_of(request).access(public_id)
    version = versions_of(shown).first()
    definition = version.definition if version else shown.definition
    counts = counts_of_steps(shown, shown.version) if version else {}
    context = {
        "journey": shown,
        "counts": counts_of_journeys([shown])[shown.pk],
        "cards": cards_of(definition, counts),
        "trigger": (definition.get("trigger") or {}).get("event", ""),
        "exits": [condition_words(condition) for condition in definition.get("exits") or []],
        "sends_per_minute": definition.get("sends_per_minute"),
        "differs": version is not None and _differs(shown, version),
        "needs_approval": is_approval_needed(shown),
    }
    return render(request, "dashboard/journeys/journey.html", context)


def _differs(shown: Journey, newest: JourneyVersion) -> bool:
    """Whether publishing the draft would change anything; a draft that cannot be published does."""
    try:
        return bool(frozen(shown.application, shown.definition) != newest.definition)
    except HouseError:
        return True


@page("campaigns.write")
@require_http_methods(["GET", "POST"])
def journey_create(request: DashboardRequest) -> HttpResponse:
    return _edit(request, None)


@page("campaigns.write")
@require_http_methods(["GET", "POST"])
def journey_edit(request: DashboardRequest, public_id: str) -> HttpResponse:
    return _edit(request, journeys_of(request).access(public_id))


def _edit(request: DashboardRequest, shown: Journey | None) -> HttpResponse:
    if request.application is None:
        raise NoApplication
    before = {"name": shown.name, "definition": shown.definition} if shown else {"definition": _first(request)}
    form = JourneyForm(request.POST or None, initial=before)
    if form.is_valid():
        try:
            saved = _save(request, shown, form.cleaned_data)
        except HouseError as error:
            add_errors(form, _with_place(error))
        else:
            messages.success(request, _("The draft is saved. Publish it for people who come in from then on."))
            return redirect("dashboard:journey", saved.public_id)
    context = {"form": form, "journey": shown, "kinds": KIND_NAMES.items(), **_choices(request)}
    return render(request, "dashboard/journeys/edit.html", context)


def _save(request: DashboardRequest, shown: Journey | None, said: dict[str, Any]) -> Journey:
    if shown is not None:
        return update_journey(tenant=request.tenant, journey=shown, **said)
    assert request.application is not None
    return create_journey(tenant=request.tenant, application=request.application, created_by=request.user, **said)


def _with_place(error: HouseError) -> HouseError:
    """On the one field that has everything, with the place in front."""
    place = error.details.get("path")
    if place is not None:
        error.fields = {"definition": [f"{place}: {error.message}" if place else error.message]}
    return error


def _first(request: DashboardRequest) -> dict[str, Any]:
    """Where somebody starts who has nothing yet."""
    words = {request.tenant.language: {"title": _("Did you forget something?"), "body": ""}}
    return {
        "trigger": {"event": "cart_left"},
        "reentry": {"rule": "after", "days": 7},
        "exits": [{"event": "purchase"}],
        "steps": [
            {"id": "wait", "kind": "wait", "name": "", "seconds": 3_600, "next": "send"},
            {"id": "send", "kind": "send", "name": "", "content": words, "routes": ["realtime"], "next": None},
        ],
    }


def _choices(request: DashboardRequest) -> dict[str, Any]:
    assert request.application is not None
    mine = {"application": request.application}
    return {
        "segments": Segment.objects.of(request.tenant).filter(**mine).order_by("name"),
        "templates": Template.objects.of(request.tenant).filter(**mine).order_by("name"),
        "categories": categories_of(request.application).order_by("key"),
        "event_names": event_names(application=request.application),
        "routes": sorted(provider_names()),
        "language": request.tenant.language,
    }


@page("campaigns.read")
@require_safe
def journey_people(request: DashboardRequest, public_id: str) -> HttpResponse:
    shown = journeys_of(request).access(public_id)
    asked = {name: typed(request.GET, name, limit=200) for name in ("state", "step", "external_id")}
    page_obj = Paginator(entries_of(shown, **asked).order_by("-pk"), 50).get_page(request.GET.get("page"))
    context = {"journey": shown, "page_obj": page_obj, "states": list(EntryState), **asked}
    return render(request, "dashboard/journeys/people.html", context)


@page("campaigns.read")
@require_safe
def journey_versions(request: DashboardRequest, public_id: str) -> HttpResponse:
    """Each version with its difference from the one before."""
    shown = journeys_of(request).access(public_id)
    page_obj = Paginator(versions_of(shown), 10).get_page(request.GET.get("page"))
    versions = list(page_obj.object_list)
    numbers = [version.number - 1 for version in versions]
    before = {version.number: version.definition for version in versions_of(shown).filter(number__in=numbers)}
    rows = [
        (version, difference(before[version.number - 1], version.definition) if version.number - 1 in before else None)
        for version in versions
    ]
    return render(request, "dashboard/journeys/versions.html", {"journey": shown, "page_obj": page_obj, "rows": rows})


@page("campaigns.read")
@require_safe
def journey_try(request: DashboardRequest, public_id: str) -> HttpResponse:
    """The way one person would go by the draft. Nothing is sent."""
    shown = journeys_of(request).access(public_id)
    external_id = typed(request.GET, "external_id", limit=200)
    context: dict[str, Any] = {"journey": shown, "external_id": external_id, "kinds": KIND_NAMES}
    if external_id:
        context |= _way(shown, external_id)
    return render(request, "dashboard/journeys/try.html", context)


def _way(shown: Journey, external_id: str) -> dict[str, Any]:
    person = Subscriber.objects.in_application(shown.application).filter(external_id=external_id).first()
    if person is None:
        return {"problem": _("There is no subscriber with this id.")}
    try:
        way = explain_journey(shown, person)
    except HouseError as error:
        return {"problem": _with_place(error).message, "place": error.details.get("path", "")}
    return {"way": [_shown(step) for step in way], "person": person}


def _shown(step: Passed) -> dict[str, Any]:
    return {
        "title": step.name or step.step,
        "kind": KIND_NAMES[step.kind],
        "at": step.local_time,
        "result": step.result,
    }
