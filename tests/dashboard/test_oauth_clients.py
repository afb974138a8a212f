"""OAuth clients on the application's page: made with a secret shown once, revoked, and never somebody else's."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.utils.html import escape

from apps.accounts.mfa import PROVED_KEY
from apps.tenants.models import Application, OAuthClient, Tenant
from apps.tenants.permissions import Role
from apps.tenants.queries import find_oauth_client
from apps.tenants.scope import tenant_scope
from apps.tenants.services import NewOAuthClient, create_oauth_client
from tests.dashboard.conftest import member_client

pytestmark = pytest.mark.django_db
FORM = {"name": "Gateway", "scopes": ["publish", "usage.read"]}


@pytest.fixture
def here(application: Application) -> str:
    return f"/applications/{application.public_id}/"


@pytest.fixture
def theirs(other_tenant: Tenant, other_application: Application) -> NewOAuthClient:
    with tenant_scope(other_tenant):
        return create_oauth_client(tenant=other_tenant, application=other_application, name="T", scopes=["publish"])


def page(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, response.content
    return response.content.decode()


def shown(html: str, what: str) -> str:
    found = re.search(rf'id="once-{what}">([^<]+)<', html)
    return found.group(1) if found else ""


def clients_of(tenant: Tenant) -> list[OAuthClient]:
    with tenant_scope(tenant):
        return list(OAuthClient.objects.of(tenant))


def test_a_client_is_made_its_secret_shown_once_and_it_is_revoked(developer: Client, tenant: Tenant, here: str) -> None:
    assert developer.post(f"{here}oauth-clients/new", FORM).url == here
    first = page(developer, here)
    client_id, secret = shown(first, "client-id"), shown(first, "client-secret")
    record = find_oauth_client(client_id, secret)
    assert record is not None
    assert record.scopes == {"publish", "usage.read"}
    again = page(developer, here)
    assert secret not in again
    assert client_id in again
    assert "/api/oauth/token" in again
    developer.post(f"{here}oauth-clients/{client_id}/revoke")
    assert find_oauth_client(client_id, secret) is None
    assert f"{client_id}/revoke" not in page(developer, here)


def test_making_one_needs_a_fresh_proof(developer: Client, tenant: Tenant, here: str) -> None:
    session = developer.session
    del session[PROVED_KEY]
    session.save()
    response = developer.post(f"{here}oauth-clients/new", FORM)
    assert response.status_code == 302
    assert response.url != here
    assert clients_of(tenant) == []


@pytest.mark.parametrize("change", [{"name": ""}, {"scopes": []}, {"scopes": ["campaigns.send"]}, {"scopes": ["x"]}])
def test_a_bad_client_is_explained_and_makes_nothing(
    developer: Client, tenant: Tenant, here: str, change: dict[str, object]
) -> None:
    response = developer.post(f"{here}oauth-clients/new", {**FORM, **change})
    assert b"errorlist" in response.content
    assert clients_of(tenant) == []


def test_a_name_is_shown_as_text(developer: Client, here: str) -> None:
    name = '<img src=x onerror="x">'
    developer.post(f"{here}oauth-clients/new", {**FORM, "name": name})
    html = page(developer, here)
    assert escape(name) in html
    assert name not in html


def test_the_neighbours_client_is_not_there(developer: Client, here: str, theirs: NewOAuthClient) -> None:
    assert theirs.client.public_id not in page(developer, here)
    assert developer.post(f"{here}oauth-clients/{theirs.client.public_id}/revoke").status_code == 404
    assert find_oauth_client(theirs.client.public_id, theirs.secret) is not None


def test_who_may_only_read_sees_no_button_and_no_door(tenant: Tenant, application: Application, here: str) -> None:
    with tenant_scope(tenant):
        made = create_oauth_client(tenant=tenant, application=application, name="Gateway", scopes=["publish"])
    analyst = member_client(tenant, Role.ANALYST)
    assert "oauth-clients" not in page(analyst, here).replace("oauth-clients-title", "")
    assert analyst.post(f"{here}oauth-clients/new", FORM).status_code == 403
    assert analyst.post(f"{here}oauth-clients/{made.client.public_id}/revoke").status_code == 403
