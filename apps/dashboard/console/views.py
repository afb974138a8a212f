"""The console page, the fragment it refreshes, and publishing from it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.core.errors import HouseError, NotFound
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.console.forms import PublishForm
from apps.dashboard.console.reading import KINDS, Look, Sieve, look, look_at_connection
from apps.dashboard.errors import NoApplication
from apps.dashboard.forms import add_errors
from apps.realtime.protocol.messages import is_socket_id
from apps.realtime.publish import publish
from apps.tenants.application_settings import ApplicationSettings

_MAX_WORD = 100


@page("console.read", in_scope=False)
@require_safe
def console(request: DashboardRequest) -> HttpResponse:
    sieve = _sieve(request)
    context = {"look": _look(request, sieve), "sieve": sieve, "form": PublishForm()}
    return render(request, "dashboard/console/console.html", context)


@page("console.read", in_scope=False)
@require_safe
def feed(request: DashboardRequest) -> HttpResponse:
    sieve = _sieve(request)
    return render(request, "dashboard/console/_feed.html", {"look": _look(request, sieve), "sieve": sieve})


@page("console.read", in_scope=False)
@require_safe
def connection(request: DashboardRequest) -> HttpResponse:
    return render(request, "dashboard/console/connection.html", _trail(request))


@page("console.read", in_scope=False)
@require_safe
def trail(request: DashboardRequest) -> HttpResponse:
    return render(request, "dashboard/console/_trail.html", _trail(request))


@page("console.publish", in_scope=False)
@require_POST
def publish_event(request: DashboardRequest) -> HttpResponse:
    application = request.application
    if application is None:
        raise NoApplication
    form = PublishForm(request.POST)
    if form.is_valid():
        try:
            publish(
                region=request.tenant.home_region,
                application_id=application.application_id,
                tenant_id=request.tenant.pk,
                channels=[form.cleaned_data["channel"]],
                event=form.cleaned_data["event"],
                data=form.cleaned_data["payload"],
                settings=ApplicationSettings.from_json(application.settings),
            )
        except HouseError as error:
            add_errors(form, error)
        else:
            messages.success(request, _("Published to %(channel)s.") % {"channel": form.cleaned_data["channel"]})
            if not request.htmx:
                return redirect("dashboard:console")
    if request.htmx:
        return render(request, "dashboard/console/_publish.html", {"form": form})
    context = {"look": _look(request, Sieve()), "sieve": Sieve(), "form": form}
    return render(request, "dashboard/console/console.html", context)


def _sieve(request: DashboardRequest) -> Sieve:
    kind = request.GET.get("kind", "")
    return Sieve(
        word=_word(request, "q"),
        kind=kind if kind in KINDS else "",
        channel=_word(request, "channel"),
        connection=_word(request, "connection"),
    )


def _word(request: DashboardRequest, name: str) -> str:
    return request.GET.get(name, "").strip()[:_MAX_WORD].casefold()


def _trail(request: DashboardRequest) -> dict[str, Any]:
    socket_id = request.GET.get("socket", "")
    if not is_socket_id(socket_id):
        raise NotFound
    if request.application is None:
        raise NoApplication
    region, application_id = request.tenant.home_region, request.application.application_id
    seen = look_at_connection(region=region, application_id=application_id, socket_id=socket_id)
    return {"trail": seen, "socket_id": socket_id}


def _look(request: DashboardRequest, sieve: Sieve) -> Look:
    if request.application is None:
        raise NoApplication
    return look(
        region=request.tenant.home_region,
        tenant_id=request.tenant.pk,
        application_id=request.application.application_id,
        sieve=sieve,
    )
