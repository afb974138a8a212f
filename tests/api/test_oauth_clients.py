"""`/api/v1/oauth-clients`: made with a secret shown once, listed, revoked, and never another application's."""

from __future__ import annotations

import pytest
from django.test import Client
from rest_framework.test import APIClient

from apps.tenants.models import Application, OAuthClient, Tenant
from apps.tenants.queries import find_oauth_client
from apps.tenants.scope import tenant_scope
from apps.tenants.services import create_api_key, create_application, create_oauth_client
from tests.api.helpers import problem

pytestmark = pytest.mark.django_db

CLIENTS = "/api/v1/oauth-clients"
NEW = {"name": "Gateway", "scopes": ["publish"]}


def test_the_secret_is_shown_once_and_proves_the_client(api: APIClient) -> None:
    created = api.post(CLIENTS, NEW)
    assert created.status_code == 201
    secret = created.json()["client_secret"]
    assert find_oauth_client(created.json()["id"], secret) is not None
    shown = api.get(f"{CLIENTS}/{created.json()['id']}").json()
    assert (shown["name"], shown["scopes"], shown["last_used_at"]) == ("Gateway", ["publish"], None)
    assert secret not in str([shown, api.get(CLIENTS).json()])


def test_a_revoked_client_stays_listed_and_proves_nothing(api: APIClient) -> None:
    created = api.post(CLIENTS, NEW).json()
    for _repeated in range(2):
        assert api.delete(f"{CLIENTS}/{created['id']}").status_code == 204
    assert find_oauth_client(created["id"], created["client_secret"]) is None
    assert api.get(CLIENTS).json()["data"][0]["revoked_at"]


def test_a_key_cannot_give_a_client_what_it_lacks(tenant: Tenant, application: Application) -> None:
    with tenant_scope(tenant):
        weak = create_api_key(tenant=tenant, application=application, name="Weak", scopes=["keys.write"]).token
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {weak}")
    client.default_format = "json"
    problem(client.post(CLIENTS, NEW), 403, "scope_not_allowed")
    with tenant_scope(tenant):
        assert not OAuthClient.objects.of(tenant).exists()


def test_a_client_of_a_sibling_application_is_not_there(api: APIClient, tenant: Tenant) -> None:
    with tenant_scope(tenant):
        sibling = create_application(tenant=tenant, name="Sibling").application
        theirs = create_oauth_client(tenant=tenant, application=sibling, name="Theirs", scopes=["publish"])
    assert api.get(CLIENTS).json()["data"] == []
    problem(api.delete(f"{CLIENTS}/{theirs.client.public_id}"), 404, "not_found")
    assert find_oauth_client(theirs.client.public_id, theirs.secret) is not None


@pytest.mark.parametrize("body", [{}, {"name": "", "scopes": ["publish"]}, {**NEW, "scopes": []}, {**NEW, "id": "x"}])
def test_a_bad_client_is_explained_and_makes_nothing(api: APIClient, tenant: Tenant, body: dict[str, object]) -> None:
    problem(api.post(CLIENTS, body), 400, "invalid_input")
    with tenant_scope(tenant):
        assert not OAuthClient.objects.of(tenant).exists()


def test_the_document_describes_the_grant() -> None:
    schemes = Client().get("/api/v1/openapi.json").json()["components"]["securitySchemes"]
    flow = schemes["oauth2"]["flows"]["clientCredentials"]
    assert flow["tokenUrl"] == "/api/oauth/token"
    assert "campaigns.send" in flow["scopes"]
    assert schemes["apiKey"] == {"type": "http", "scheme": "bearer"}
