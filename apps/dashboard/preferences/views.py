"""Each choice is a small POST that leads back to the page it was made on."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from apps.accounts.models import User
from apps.core.errors import InvalidInput, NotFound
from apps.dashboard.access import DashboardRequest, open_page, page
from apps.dashboard.context import THEME_COOKIE, THEMES
from apps.dashboard.current import choose_application, choose_tenant
from apps.tenants.models import Application

_YEAR = int(timedelta(days=365).total_seconds())


@open_page
@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    code = request.POST.get("language", "")
    if code not in dict(settings.LANGUAGES):
        raise InvalidInput(fields={"language": ["unknown language"]})
    if isinstance(request.user, User):
        User.objects.filter(pk=request.user.pk).update(language=code)
    translation.activate(code)
    response = _back(request)
    remember(response, settings.LANGUAGE_COOKIE_NAME, code)
    return response


@open_page
@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    theme = request.POST.get("theme", "")
    if theme not in THEMES:
        raise InvalidInput(fields={"theme": ["unknown theme"]})
    response = _back(request)
    remember(response, THEME_COOKIE, theme)
    return response


@page(None)
@require_POST
def switch_tenant(request: DashboardRequest) -> HttpResponse:
    chosen = request.POST.get("tenant", "")
    membership = next((m for m in request.memberships if m.tenant.public_id == chosen), None)
    if membership is None:
        raise NotFound
    choose_tenant(request, membership)
    return redirect("dashboard:overview")


@page(None)
@require_POST
def switch_application(request: DashboardRequest) -> HttpResponse:
    chosen = Application.objects.of(request.tenant).access(request.POST.get("application", ""))
    choose_application(request, chosen)
    return _back(request)


def _back(request: HttpRequest) -> HttpResponse:
    target = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        target = "/"
    return redirect(target)


def remember(response: HttpResponse, name: str, value: str) -> None:
    response.set_cookie(name, value, max_age=_YEAR, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE)
