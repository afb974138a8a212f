"""The admin site: for operators with a second factor given, and for nobody else."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, reverse
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_protect

from apps.accounts import mfa
from apps.core.errors import NotFound

#: Signing in, out and passwords belong to the dashboard, with its second factor and its limits on guessing.
_NOT_OURS = frozenset({"login", "logout", "password_change", "password_change_done", "view_on_site"})


class OperatorSite(admin.AdminSite):
    site_header = gettext_lazy("pushsaas operators")
    site_title = gettext_lazy("Operators")
    index_title = gettext_lazy("Installation")
    index_template = "admin/operator/index.html"
    site_url = "/"
    enable_nav_sidebar = True

    def has_permission(self, request: HttpRequest) -> bool:
        user: Any = request.user
        return bool(user.is_active and user.is_staff and mfa.is_verified(request))

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Any:
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not self.has_permission(request):
                return _turn_away(request)
            response: HttpResponseBase = csrf_protect(view)(request, *args, **kwargs)
            patch_cache_control(response, private=True, no_store=True)
            return response

        return update_wrapper(guarded, view)

    def get_urls(self) -> list[URLResolver | URLPattern]:
        from apps.operations.admin.reports import report_urls

        ours = [url for url in super().get_urls() if getattr(url, "name", None) not in _NOT_OURS]
        return [*report_urls(self), *ours]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        from apps.operations.admin.reports import links

        return super().index(request, {"reports": links(self), **(extra_context or {})})


def _turn_away(request: HttpRequest) -> HttpResponse:
    """To the sign-in, or to the second factor; for anybody else there is nothing here."""
    user: Any = request.user
    if not user.is_authenticated:
        return redirect(_with_next("dashboard:sign-in", request))
    if not user.is_staff:
        raise NotFound
    return redirect(_with_next("dashboard:verify" if mfa.has_factor(user) else "dashboard:security-enrol", request))


def ask_again(request: HttpRequest) -> HttpResponse | None:
    """Where to go first when the last proof is older than five minutes; what was typed must be typed again."""
    if mfa.is_fresh(request):
        return None
    if request.method == "POST":
        messages.info(request, _("Confirm that it is you, then do it again."))
    return redirect(_with_next("dashboard:verify", request))


def _with_next(route: str, request: HttpRequest) -> str:
    return f"{reverse(route)}?{urlencode({'next': request.get_full_path()})}"


operator_site = OperatorSite(name="operator")
