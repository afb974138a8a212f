"""Segments: the list, the rule builder with its live estimate, removing."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.audience.estimating import estimate
from apps.audience.models import Segment
from apps.audience.queries import attribute_names, event_names
from apps.audience.services.segments import change_segment, create_segment, delete_segment
from apps.core.errors import HouseError
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.audience.chosen import chosen_application
from apps.dashboard.audience.forms import SegmentForm
from apps.dashboard.audience.rule_words import FIELD_LABELS, relation_choices
from apps.dashboard.forms import add_errors
from apps.tenants.models import TenantQuerySet

_FIRST_RULES = {"all": [{"field": "attribute", "key": "", "relation": "=", "value": ""}]}


@page("audience.read")
@require_safe
def segments(request: DashboardRequest) -> HttpResponse:
    found = _segments_of(request).order_by("name")
    page_obj = Paginator(found, 50).get_page(request.GET.get("page"))
    return render(request, "dashboard/audience/segments.html", {"page_obj": page_obj})


@page("audience.read")
@require_safe
def size(request: DashboardRequest, public_id: str) -> HttpResponse:
    """A fragment, asked for when its row comes into view: the list itself counts nobody."""
    segment = _segments_of(request).access(public_id)
    found = estimate(tenant=request.tenant, application=chosen_application(request), rules=segment.rules)
    return render(request, "dashboard/audience/_size.html", {"found": found})


@page("audience.read")
@require_POST
def estimate_rules(request: DashboardRequest) -> HttpResponse:
    """A fragment: how many people the rules of the builder hold for, or what is wrong with them."""
    application = chosen_application(request)
    try:
        rules = json.loads(request.POST.get("rules", ""))
        context: dict[str, Any] = {"found": estimate(tenant=request.tenant, application=application, rules=rules)}
    except (ValueError, RecursionError):
        context = {"problem": _("The rules are not JSON.")}
    except HouseError as error:
        context = {"problem": error.message, "path": error.details.get("path")}
    return render(request, "dashboard/audience/_estimate.html", context)


@page("audience.write")
@require_http_methods(["GET", "POST"])
def create(request: DashboardRequest) -> HttpResponse:
    application = chosen_application(request)
    form = SegmentForm(request.POST or None, initial={"rules": _FIRST_RULES})
    if form.is_valid():
        try:
            create_segment(tenant=request.tenant, application=application, **form.cleaned_data)
        except HouseError as error:
            add_errors(form, error)
        else:
            messages.success(request, _("The segment is saved."))
            return redirect("dashboard:segment-list")
    return _form_page(request, form)


@page("audience.write")
@require_http_methods(["GET", "POST"])
def edit(request: DashboardRequest, public_id: str) -> HttpResponse:
    segment = _segments_of(request).access(public_id)
    form = SegmentForm(request.POST or None, initial={"name": segment.name, "rules": segment.rules})
    if form.is_valid():
        try:
            change_segment(tenant=request.tenant, segment=segment, **form.cleaned_data)
        except HouseError as error:
            add_errors(form, error)
        else:
            messages.success(request, _("The segment is saved."))
            return redirect("dashboard:segment-list")
    return _form_page(request, form, segment)


def _form_page(request: DashboardRequest, form: SegmentForm, segment: Segment | None = None) -> HttpResponse:
    context = {
        "form": form,
        "segment": segment,
        "fields": FIELD_LABELS.items(),
        "relations": relation_choices(),
        "attribute_names": attribute_names(application=chosen_application(request), newest=1_000),
        "event_names": event_names(application=chosen_application(request)),
    }
    return render(request, "dashboard/audience/segment_form.html", context)


@page("audience.write")
@require_POST
def delete(request: DashboardRequest, public_id: str) -> HttpResponse:
    delete_segment(tenant=request.tenant, segment=_segments_of(request).access(public_id))
    messages.success(request, _("The segment is deleted. Its people stay."))
    return redirect("dashboard:segment-list")


def _segments_of(request: DashboardRequest) -> TenantQuerySet[Segment]:
    return Segment.objects.of(request.tenant).filter(application=chosen_application(request))
