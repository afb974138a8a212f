"""Subscribers: the list, one person, adding, changing, removing, exporting."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.audience.events import EventPosition
from apps.audience.exporting import exported_subscribers
from apps.audience.models import Segment, Subscriber
from apps.audience.preferences import path_of
from apps.audience.queries import find_subscribers, timeline_of
from apps.audience.services.disclosure import disclose_subscriber
from apps.audience.services.preferences import preferences_of
from apps.audience.services.subscribers import erase_subscriber, upsert_subscriber
from apps.audience.values import timezones
from apps.campaigns.disclosure import ways_of
from apps.campaigns.queries import lately_sent_to
from apps.core.downloads import CSV, NDJSON, download
from apps.core.errors import HouseError
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.audience.chosen import chosen_application
from apps.dashboard.audience.forms import (
    ATTRIBUTE_KINDS,
    AttributeRow,
    SubscriberForm,
    attributes_in,
    rows_of,
    typed_rows,
)
from apps.dashboard.forms import add_errors
from apps.messaging.disclosure import held_about
from apps.messaging.models import InboxItem
from apps.messaging.queries import receipts_of
from apps.messaging.services.inbox import unread_count
from apps.tenants.models import TenantQuerySet

_PAGE = 50
_EVENTS = 20
#: Of the inbox and the receipts, the newest.
_SHOWN = 10
#: Of campaigns, the last.
_RUNS = 20


@page("audience.read")
@require_safe
def subscribers(request: DashboardRequest) -> HttpResponse:
    application = chosen_application(request)
    filters = _filters(request)
    found = find_subscribers(tenant=request.tenant, application=application, **filters)
    total = found.count()
    if before := request.GET.get("before"):
        found = found.filter(pk__lt=Subscriber.number_of(before))
    people = list(found.order_by("-pk")[: _PAGE + 1])
    context = {
        "people": people[:_PAGE],
        "next": people[_PAGE - 1].public_id if len(people) > _PAGE else None,
        "is_first": not before,
        "total": total,
        "filters": filters,
        "is_filtered": any(filters.values()),
        "segments": Segment.objects.of(request.tenant).filter(application=application).order_by("name")[:200],
    }
    return render(request, "dashboard/audience/subscribers.html", context)


def _filters(request: DashboardRequest) -> dict[str, str]:
    return {name: request.GET.get(name, "").strip() for name in ("search", "tag", "segment_id", "alias")}


@page("audience.read", in_scope=False)
@require_safe
def export(request: DashboardRequest) -> HttpResponseBase:
    """`?as=ndjson` or CSV."""
    as_csv = request.GET.get("as") != "ndjson"
    texts = exported_subscribers(
        tenant=request.tenant, application=chosen_application(request), filters=_filters(request), as_csv=as_csv
    )
    return download(request, *(("subscribers.csv", CSV) if as_csv else ("subscribers.ndjson", NDJSON)), texts)


@page("audience.read")
@require_safe
def subscriber(request: DashboardRequest, public_id: str) -> HttpResponse:
    person = _people_of(request).access(public_id)
    context = {
        "person": person,
        "attributes": rows_of(person.attributes),
        "aliases": person.aliases.order_by("label"),
        **_timeline(person),
        **_wishes(person),
        **_reached(person),
    }
    return render(request, "dashboard/audience/subscriber.html", context)


def _reached(person: Subscriber) -> dict[str, Any]:
    """The newest of what lies in the inbox and of what was reported."""
    return {
        "inbox": InboxItem.objects.shown_to(person).order_by("-pk")[:_SHOWN],
        "unread": unread_count(person=person),
        "receipts": receipts_of(person)[:_SHOWN],
        "sent": lately_sent_to(person, runs=_RUNS),
    }


def _wishes(person: Subscriber) -> dict[str, Any]:
    current = preferences_of(person=person)
    refused = [key for key, is_wanted in current.wanted.items() if not is_wanted]
    return {"unsubscribed": current.unsubscribed, "refused": refused, "preferences_path": path_of(person)}


@page("audience.read")
@require_safe
def timeline(request: DashboardRequest, public_id: str) -> HttpResponse:
    """A fragment: the events below the cursor `below`."""
    person = _people_of(request).access(public_id)
    below = EventPosition.decode(request.GET.get("below", ""))
    return render(request, "dashboard/audience/_timeline.html", {"person": person, **_timeline(person, below)})


def _timeline(person: Subscriber, below: EventPosition | None = None) -> dict[str, Any]:
    events, following = timeline_of(person=person, below=below, limit=_EVENTS)
    shown = [(event, rows_of(event.properties)) for event in events]
    return {"events": shown, "below": following.encode() if following else ""}


@page("audience.read")
@require_POST
def disclose(request: DashboardRequest, public_id: str) -> HttpResponse:
    """A JSON file of everything that is held about the person."""
    person = _people_of(request).access(public_id)
    told = disclose_subscriber(tenant=request.tenant, person=person, actor=request.user.public_id)
    return JsonResponse(
        told.to_json() | held_about(person) | ways_of(person),
        json_dumps_params={"ensure_ascii": False, "indent": 2},
        headers={"Content-Disposition": f'attachment; filename="{person.public_id}.json"'},
    )


@page("audience.write")
@require_http_methods(["GET", "POST"])
def create(request: DashboardRequest) -> HttpResponse:
    application = chosen_application(request)
    form = SubscriberForm(request.POST or None)
    rows = typed_rows(request.POST)
    if form.is_valid():
        external_id = form.cleaned_data["external_id"]
        if Subscriber.objects.in_application(application).filter(external_id=external_id).exists():
            form.add_error("external_id", _("Somebody has this external id already."))
        elif (person := _saved(request, form, rows, known=None)) is not None:
            messages.success(request, _("The subscriber is added."))
            return redirect("dashboard:subscriber", person.public_id)
    return _form_page(request, form, rows)


@page("audience.write")
@require_http_methods(["GET", "POST"])
def edit(request: DashboardRequest, public_id: str) -> HttpResponse:
    person = _people_of(request).access(public_id)
    initial = {
        "external_id": person.external_id,
        "language": person.language,
        "timezone": person.timezone,
        "tags": ", ".join(person.tags),
        "aliases": "\n".join(f"{one.label}: {one.value}" for one in person.aliases.order_by("label")),
    }
    form = SubscriberForm(request.POST or None, initial=initial)
    form.fields["external_id"].disabled = True
    rows = typed_rows(request.POST) if request.method == "POST" else rows_of(person.attributes)
    if form.is_valid() and _saved(request, form, rows, known=person) is not None:
        messages.success(request, _("The changes are saved."))
        return redirect("dashboard:subscriber", person.public_id)
    return _form_page(request, form, rows, person)


def _saved(
    request: DashboardRequest, form: SubscriberForm, rows: list[AttributeRow], *, known: Subscriber | None
) -> Subscriber | None:
    """The row as it is now, or None when the form says what is wrong. A line taken away removes its attribute."""
    removed = dict.fromkeys(known.attributes) if known else {}
    try:
        gone = {alias.label: None for alias in known.aliases.all()} if known else {}
        person = {
            **form.person(),
            "attributes": {**removed, **attributes_in(rows)},
            "aliases": {**gone, **form.cleaned_data["aliases"]},
        }
        saved, _created = upsert_subscriber(
            tenant=request.tenant, application=chosen_application(request), person=person
        )
    except ValidationError as error:
        form.add_error(None, error)
    except HouseError as error:
        add_errors(form, error)
    else:
        return saved
    return None


def _form_page(
    request: DashboardRequest, form: SubscriberForm, rows: list[AttributeRow], person: Subscriber | None = None
) -> HttpResponse:
    context = {
        "form": form,
        "rows": [*rows, AttributeRow()],
        "blank": AttributeRow(),
        "kinds": ATTRIBUTE_KINDS,
        "timezones": sorted(timezones()),
        "person": person,
    }
    return render(request, "dashboard/audience/subscriber_form.html", context)


@page("audience.write")
@require_POST
def delete(request: DashboardRequest, public_id: str) -> HttpResponse:
    person = _people_of(request).access(public_id)
    erase_subscriber(tenant=request.tenant, subscriber=person, actor=request.user.public_id)
    messages.success(request, _("The subscriber is deleted."))
    return redirect("dashboard:subscriber-list")


def _people_of(request: DashboardRequest) -> TenantQuerySet[Subscriber]:
    return Subscriber.objects.in_application(chosen_application(request))
