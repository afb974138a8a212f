"""Every route below /api/v1: who may call it, and that the neighbour's objects are as absent as those of nobody.

Routes join by being routed. A route with a parameter that `theirs.py` does not know fails until it is added there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.urls import URLPattern, URLResolver
from rest_framework.test import APIClient

from apps.api.base import ANY_KEY, ApiView
from apps.api.v1.urls import urlpatterns
from apps.tenants.models import Application, Tenant
from apps.tenants.permissions import KEY_SCOPES
from apps.tenants.scope import tenant_scope
from apps.tenants.services import create_api_key
from tests.api.helpers import problem
from tests.api.theirs import MAKERS, unused

pytestmark = pytest.mark.django_db

#: A fixed request id makes two answers comparable byte by byte.
HEADERS = {"x-request-id": "the-same-for-both"}
PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


def routed(patterns: list[URLPattern | URLResolver], before: str = "") -> Iterator[tuple[str, type[ApiView]]]:
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routed(pattern.url_patterns, route)
        else:
            yield route, pattern.callback.view_class


ROUTES = list(routed(urlpatterns))
OPERATIONS = [(route, view, method) for route, view in ROUTES for method in view.permissions]
each_operation = pytest.mark.parametrize(
    ("route", "view", "method"), OPERATIONS, ids=[f"{method} {route}" for route, _, method in OPERATIONS]
)
each_operation_with_an_id = pytest.mark.parametrize(
    ("route", "method"),
    [(route, method) for route, _, method in OPERATIONS if "<" in route],
    ids=[f"{method} {route}" for route, _, method in OPERATIONS if "<" in route],
)


def path_of(route: str, identifiers: dict[str, str]) -> str:
    return "/api/v1/" + PARAMETER.sub(lambda match: identifiers[match[1]], route)


def anywhere(route: str) -> str:
    return path_of(route, dict.fromkeys(PARAMETER.findall(route), "anything"))


def call(client: APIClient, method: str, path: str):
    return client.generic(method, path, "{}" if method in {"POST", "PUT", "PATCH"} else "",
                          content_type="application/json", headers=HEADERS)  # fmt: skip


@pytest.mark.parametrize(("route", "view"), ROUTES, ids=[route for route, _ in ROUTES])
def test_every_route_has_a_permission_for_each_method(route: str, view: type[ApiView]) -> None:
    assert issubclass(view, ApiView)
    assert set(view.permissions.values()) <= KEY_SCOPES | {ANY_KEY}
    assert {"GET", "POST", "PUT", "PATCH", "DELETE"} & {name.upper() for name in vars(view)} <= set(view.permissions)


@each_operation
def test_without_a_key_nothing_is_answered(route: str, view: type[ApiView], method: str) -> None:
    problem(call(APIClient(), method, anywhere(route)), 401, "unauthenticated")


@each_operation
def test_without_the_scope_nothing_is_answered(
    route: str, view: type[ApiView], method: str, tenant: Tenant, application: Application
) -> None:
    needed = view.permissions[method]
    if needed == ANY_KEY:
        return
    with tenant_scope(tenant):
        token = create_api_key(
            tenant=tenant, application=application, name="All but one", scopes=KEY_SCOPES - {needed}
        ).token
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    assert problem(call(client, method, anywhere(route)), 403, "scope_missing")["required_scope"] == needed


@each_operation_with_an_id
def test_the_neighbours_object_is_as_absent_as_nobodys(
    route: str, method: str, api: APIClient, other_api: APIClient, other_tenant: Tenant, other_application: Application
) -> None:
    with tenant_scope(other_tenant):
        theirs = {name: MAKERS[name](other_tenant, other_application) for name in PARAMETER.findall(route)}
    nobodys = {name: unused(identifier) for name, identifier in theirs.items()}
    refused = call(api, method, path_of(route, theirs))
    problem(refused, 404, "not_found")
    assert refused.content == call(api, method, path_of(route, nobodys)).content
    # What could have leaked is there: its owner is not told that it is absent.
    assert call(other_api, method, path_of(route, theirs)).status_code != 404
