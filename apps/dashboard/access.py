"""Who may open a page of the dashboard.

Every view wears exactly one of three decorators: `open_page` (anybody), `personal_page` (somebody signed in, where a
second factor is given or enrolled) and `page` (a member of a tenant whose role has the permission). The rule stays on
the view, so that a test can go through all routes and find one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, Literal, ParamSpec, Protocol, cast

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, resolve_url
from django.utils.cache import patch_cache_control
from django.utils.http import urlencode
from django_otp import user_has_device

from apps.accounts.models import User
from apps.dashboard.current import resolve_application, resolve_membership
from apps.dashboard.errors import RoleForbids
from apps.tenants.models import Application, Membership, Tenant
from apps.tenants.permissions import ALL_PERMISSIONS, MFA_ROLES, may
from apps.tenants.scope import tenant_scope

P = ParamSpec("P")


class DashboardRequest(HttpRequest):
    """What a view behind `page` gets. `application` is the one chosen in the sidebar, None when there is none yet."""

    user: User
    tenant: Tenant
    membership: Membership
    memberships: list[Membership]
    application: Application | None
    applications: list[Application]
    htmx: Any


@dataclass(frozen=True, slots=True)
class AccessRule:
    """kind: who may come in. permission: what their role needs (None: any member)."""

    kind: Literal["open", "personal", "member"]
    permission: str | None = None


class RuledView(Protocol):
    """A view that says who may open it."""

    access_rule: AccessRule

    def __call__(self, request: HttpRequest, /, *args: Any, **kwargs: Any) -> HttpResponseBase: ...


def open_page(view: Callable[Concatenate[HttpRequest, P], HttpResponseBase]) -> RuledView:
    """For everybody, signed in or not."""
    return _ruled(view, AccessRule("open"))


def personal_page(view: Callable[Concatenate[DashboardRequest, P], HttpResponseBase]) -> RuledView:
    """For a signed-in person, before any question of tenant or second factor."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return _to_sign_in(request)
        return _uncached(view(cast(DashboardRequest, request), *args, **kwargs))

    return _ruled(guarded, AccessRule("personal"))


def page(
    permission: str | None, *, in_scope: bool = True
) -> Callable[[Callable[Concatenate[DashboardRequest, P], HttpResponseBase]], RuledView]:
    """For members whose role has the permission (None: every member).

    The view runs inside the tenant's scope, one transaction that a raised error rolls back. `in_scope=False` is for
    views that talk to a network: they get the same request, with the transaction already closed.
    """
    if permission is not None and permission not in ALL_PERMISSIONS:
        raise ValueError(f"unknown permission {permission}")

    def decorate(view: Callable[Concatenate[DashboardRequest, P], HttpResponseBase]) -> RuledView:
        @wraps(view)
        def guarded(plain: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not plain.user.is_authenticated:
                return _to_sign_in(plain)
            request = cast(DashboardRequest, plain)
            resolve_membership(request)
            if (missing_factor := _to_second_factor(request)) is not None:
                return missing_factor
            with tenant_scope(request.tenant):
                resolve_application(request)
                if permission is not None and not may(request.membership.role, permission):
                    raise RoleForbids
                if in_scope:
                    return _uncached(view(request, *args, **kwargs))
            return _uncached(view(request, *args, **kwargs))

        return _ruled(guarded, AccessRule("member", permission))

    return decorate


def _ruled(view: Callable[..., HttpResponseBase], rule: AccessRule) -> RuledView:
    ruled = cast(RuledView, view)
    ruled.access_rule = rule
    return ruled


def _uncached(response: HttpResponseBase) -> HttpResponseBase:
    """A shared computer's back button must not show what a signed-out person had open."""
    patch_cache_control(response, private=True, no_store=True)
    return response


def _to_sign_in(request: HttpRequest) -> HttpResponseBase:
    if getattr(request, "htmx", False):
        return HttpResponse(status=204, headers={"HX-Redirect": resolve_url(settings.LOGIN_URL)})
    return redirect_to_login(request.get_full_path() if request.method == "GET" else resolve_url("/"))


def _to_second_factor(request: DashboardRequest) -> HttpResponseBase | None:
    """Where to go first: to give the factor one has, or to enrol one that the role or the tenant demands."""
    user: Any = request.user
    if user.is_verified():
        return None
    if user_has_device(user):
        target = "dashboard:verify"
    elif request.membership.role in MFA_ROLES or request.tenant.requires_mfa:
        target = "dashboard:security-enrol"
    else:
        return None
    if request.htmx:
        return HttpResponse(status=204, headers={"HX-Redirect": resolve_url(target)})
    query = urlencode({"next": request.get_full_path()}) if request.method == "GET" else ""
    return redirect(f"{resolve_url(target)}?{query}" if query else resolve_url(target))
