"""Which tenant and application a person is working in: chosen once, kept in the session, checked each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpRequest

from apps.dashboard.errors import NoApplication, NotAMember
from apps.tenants.models import Application, Membership
from apps.tenants.queries import ApplicationRecord, find_application
from apps.tenants.scope import CrossTenantRole, all_tenants

if TYPE_CHECKING:
    from apps.dashboard.access import DashboardRequest

_TENANT, _APPLICATION = "tenant", "application"
#: More than anybody scrolls through; the applications page lists them all.
_SWITCHER_LIMIT = 50


def resolve_membership(request: DashboardRequest) -> None:
    """Sets `tenant`, `membership` and `memberships`. Raises NotAMember for a person without any tenant."""
    request.memberships = memberships_of(request.user.pk)
    if not request.memberships:
        raise NotAMember
    chosen = request.session.get(_TENANT)
    request.membership = next((m for m in request.memberships if m.tenant_id == chosen), request.memberships[0])
    request.tenant = request.membership.tenant


def resolve_application(request: DashboardRequest) -> None:
    """Sets `application` and `applications` (for the switcher). Needs the tenant's scope."""
    owned = Application.objects.of(request.tenant)
    request.applications = list(owned.order_by("name", "pk")[:_SWITCHER_LIMIT])
    chosen = request.session.get(_APPLICATION)
    request.application = next((a for a in request.applications if a.pk == chosen), None)
    if request.application is None and chosen is not None:
        request.application = owned.filter(pk=chosen).first()
    if request.application is None and request.applications:
        request.application = min(request.applications, key=lambda application: application.pk)


def choose_application(request: DashboardRequest, application: Application) -> None:
    request.session[_APPLICATION] = application.pk


def choose_tenant(request: HttpRequest, membership: Membership) -> None:
    request.session[_TENANT] = membership.tenant_id
    request.session.pop(_APPLICATION, None)


def current_record(request: DashboardRequest) -> ApplicationRecord:
    """The chosen application with its secrets. Outside a scope only. Raises NoApplication."""
    chosen = request.application
    record = find_application(application_id=chosen.application_id) if chosen else None
    if record is None:
        raise NoApplication
    return record


def public_origin(request: HttpRequest) -> str:
    """`scheme://host[:port]` under which customers reach this installation."""
    return settings.PUBLIC_URL or request.build_absolute_uri("/").rstrip("/")


def memberships_of(user_id: int) -> list[Membership]:
    """Every membership of a person with its tenant, the oldest first."""
    with all_tenants(CrossTenantRole.REGISTRY):
        return list(Membership.objects.filter(user_id=user_id).select_related("tenant").order_by("pk"))
