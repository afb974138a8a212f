"""Dangerous pages ask for a fresh proof (`apps.accounts.mfa.is_fresh`) and go on for five minutes."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from apps.accounts import mfa
from apps.dashboard.access import DashboardRequest
from apps.dashboard.accounts.navigation import with_next

P = ParamSpec("P")


def fresh_factor(
    view: Callable[Concatenate[DashboardRequest, P], HttpResponseBase],
) -> Callable[Concatenate[DashboardRequest, P], HttpResponseBase]:
    """Stands under `@page(…)` or `@personal_page` of what a stolen open browser must not do: keys, members, factors."""

    @wraps(view)
    def guarded(request: DashboardRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        return view(request, *args, **kwargs) if mfa.is_fresh(request) else ask_again(request)

    return guarded


def ask_again(request: HttpRequest) -> HttpResponse:
    """Off to the proof and back to this page, or to the one whose form was sent; that form must be sent again."""
    if request.method == "GET":
        url = with_next("dashboard:verify", request.get_full_path())
    else:
        messages.info(request, _("Confirm that it is you, then do it again."))
        url = with_next("dashboard:verify", _page_before(request))
    if getattr(request, "htmx", False):
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    return redirect(url)


def _page_before(request: HttpRequest) -> str:
    referer = request.META.get("HTTP_REFERER", "")
    if not url_has_allowed_host_and_scheme(referer, {request.get_host()}, require_https=request.is_secure()):
        return ""
    parts = urlsplit(referer)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
