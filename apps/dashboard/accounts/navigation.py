"""Where a page of this area leads: absolute links for letters, and the page somebody wanted before we stopped them."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from apps.accounts.models import User
from apps.tenants.queries import memberships_of


def absolute(request: HttpRequest, route: str, *arguments: str) -> str:
    """An address for a letter. PUSHSAAS_PUBLIC_URL wins over the Host header, which ALLOWED_HOSTS has checked."""
    path = reverse(route, args=arguments)
    return f"{settings.PUBLIC_URL}{path}" if settings.PUBLIC_URL else request.build_absolute_uri(path)


def wanted_page(request: HttpRequest) -> str:
    """The `next` parameter if it is a page of ours, else ""."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if safe else ""


def with_next(route: str, target: str) -> str:
    path = resolve_url(route)
    return f"{path}?{urlencode({'next': target})}" if target else path


def back(request: HttpRequest) -> HttpResponse:
    """The wanted page, else the overview."""
    return redirect(wanted_page(request) or settings.LOGIN_REDIRECT_URL)


def signed_in(request: HttpRequest, user: User) -> HttpResponse:
    """The first page after signing in: somebody with several organisations chooses one, unless a page was wanted."""
    if not wanted_page(request) and len(memberships_of(user)) > 1:
        return redirect("dashboard:choose-tenant")
    return back(request)
