"""Every route of the dashboard says who may open it, and none shows another tenant's things."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse

from apps.audience.models import ImportJob, Segment, Subscriber
from apps.audience.services.preferences import create_category
from apps.campaigns.services import create_campaign
from apps.campaigns.services.editing import Plan
from apps.core import clock
from apps.dashboard.access import AccessRule
from apps.dashboard.urls import urlpatterns
from apps.messaging.models import Template
from apps.operations.demo_content import fill
from apps.tenants.models import ApiKey, Application, Credential, Invitation, Membership, Tenant
from apps.tenants.permissions import ALL_PERMISSIONS, Role, may
from apps.tenants.scope import tenant_scope
from apps.tenants.services import NewApplication
from tests.api.theirs import MAKERS
from tests.dashboard.conftest import member_client

pytestmark = pytest.mark.django_db


def routes(patterns: list[URLPattern | URLResolver] = urlpatterns) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns)
        else:
            yield pattern


def rule_of(route: URLPattern) -> AccessRule | None:
    return getattr(route.callback, "access_rule", None)


def url_of(route: URLPattern, public_id: str = "") -> str:
    return reverse(f"dashboard:{route.name}", kwargs=dict.fromkeys(route.pattern.converters, public_id))


MEMBER_ROUTES = [route for route in routes() if (rule := rule_of(route)) and rule.kind == "member"]


@pytest.mark.parametrize("route", list(routes()), ids=lambda route: route.name)
def test_a_route_says_who_may_open_it(route: URLPattern) -> None:
    rule = rule_of(route)
    assert rule is not None
    assert rule.permission is None or rule.permission in ALL_PERMISSIONS


def test_a_stranger_opens_no_members_page(client: Client) -> None:
    for route in MEMBER_ROUTES:
        response = client.get(url_of(route, "x"))
        assert (response.status_code, "next=" in response.headers.get("Location", "")) == (302, True), route.name


@pytest.mark.parametrize("role", [Role.DEVELOPER, Role.MARKETER, Role.ANALYST])
def test_a_role_opens_what_it_may_and_nothing_else(tenant: Tenant, role: Role) -> None:
    browser = member_client(tenant, role)
    for route in MEMBER_ROUTES:
        permission = rule_of(route).permission  # type: ignore[union-attr]
        if permission is not None and not may(role, permission):
            for response in (browser.get(url_of(route, "x")), browser.post(url_of(route, "x"))):
                assert response.status_code == 403, route.name


@pytest.fixture
def foreign_ids(
    other_tenant: Tenant, other_new_application: NewApplication, other_api_key: str
) -> dict[str, dict[str, str]]:
    """What the neighbour owns, by where its pages are: first word of the path -> name in the route -> public id."""
    application = other_new_application.application
    with tenant_scope(other_tenant):
        fill(tenant=other_tenant, application=application)
        job = ImportJob.objects.create(tenant=other_tenant, application=application, file_name="people.csv")
        Invitation.objects.create(
            tenant=other_tenant,
            email="new@globex.example",
            role=Role.ANALYST,
            token_hash="0" * 64,
            expires_at=clock.now(),
        )
        plan = Plan("Spring", {"all": True}, ["console"], content={"en": {"title": "Hi", "body": "There"}})
        campaign = create_campaign(tenant=other_tenant, application=application, plan=plan)

        category = create_category(tenant=other_tenant, application=application, key="news", names={"en": "News"})

        def made(kind: str) -> str:
            return MAKERS[kind](other_tenant, application)

        def first(model: Any) -> str:
            return str(model.objects.of(other_tenant).order_by("pk")[0].public_id)

        return {
            "applications": {
                "public_id": application.public_id,
                "credential_id": first(Credential),
                "key_id": first(ApiKey),
                "client_id": made("oauth_client_id"),
            },
            "members": {"public_id": first(Membership)},
            "invitations": {"public_id": first(Invitation)},
            "subscribers": {"public_id": first(Subscriber)},
            "subscribers/import": {"public_id": job.public_id},
            "segments": {"public_id": first(Segment)},
            "categories": {"public_id": category.public_id},
            "templates": {"public_id": first(Template)},
            "campaigns": {"public_id": campaign.public_id},
            "journeys": {"public_id": made("journey_id")},
            "webhooks": {"public_id": made("webhook_id"), "delivery_id": made("delivery_id")},
            "provider-credentials": {"public_id": made("credential_id")},
            "invoices": {"invoice_id": made("invoice_id")},
        }


def test_the_neighbours_things_are_not_there(
    owner_client: Client, application: Application, foreign_ids: dict[str, dict[str, str]]
) -> None:
    for route in MEMBER_ROUTES:
        if not route.pattern.converters:
            continue
        area = str(route.pattern).partition("/<")[0]
        for ids in (foreign_ids[area], dict.fromkeys(route.pattern.converters, "x" * 300)):
            url = reverse(f"dashboard:{route.name}", kwargs={name: ids[name] for name in route.pattern.converters})
            assert {owner_client.get(url).status_code, owner_client.post(url).status_code} <= {404, 405}, url
