"""`/api/v1/api-keys`, `/api/v1/applications` and `/api/v1/me`: a key acts for its own application only."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.core import clock
from apps.tenants.models import Application, AuditEntry, Tenant
from apps.tenants.queries import find_application
from apps.tenants.scope import tenant_scope
from apps.tenants.services import create_api_key, create_application
from tests.api.helpers import KEYS, NEW_KEY, keys_of, problem

pytestmark = pytest.mark.django_db

ME = "/api/v1/me"


def client(token: str) -> APIClient:
    made = APIClient()
    made.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    made.default_format = "json"
    return made


@pytest.fixture
def sibling(tenant: Tenant) -> Application:
    """Another application of the same tenant, with a key."""
    with tenant_scope(tenant):
        made = create_application(tenant=tenant, name="Sibling").application
        create_api_key(tenant=tenant, application=made, name="Sibling's", scopes=["publish"])
    return made


def test_a_new_key_is_shown_once_and_works(api: APIClient, application: Application) -> None:
    expires_at = clock.now() + timedelta(days=1)
    created = api.post(KEYS, {**NEW_KEY, "expires_at": expires_at.isoformat()})
    assert created.status_code == 201
    token = created.json().pop("token")
    assert client(token).get(ME).json()["scopes"] == ["publish"]
    listed = api.get(f"{KEYS}/{created.json()['id']}").json()
    assert listed["name"] == "CI"
    assert listed["prefix"] == token[9:17]
    assert token[18:] not in str(listed)


def test_a_revoked_key_stays_listed_and_opens_nothing(api: APIClient) -> None:
    created = api.post(KEYS, NEW_KEY).json()
    assert api.delete(f"{KEYS}/{created['id']}").status_code == 204
    assert api.delete(f"{KEYS}/{created['id']}").status_code == 204
    problem(client(created["token"]).get(ME), 401, "unauthenticated")
    assert api.get(f"{KEYS}/{created['id']}").json()["revoked_at"]


def test_a_key_cannot_give_what_it_lacks(tenant: Tenant, application: Application) -> None:
    with tenant_scope(tenant):
        weak = create_api_key(tenant=tenant, application=application, name="Weak", scopes=["keys.write"]).token
    problem(client(weak).post(KEYS, {"name": "Strong", "scopes": ["campaigns.send"]}), 403, "scope_not_allowed")
    assert keys_of(tenant) == 1


def test_an_expiry_in_the_past_is_refused(api: APIClient, tenant: Tenant) -> None:
    past = (clock.now() - timedelta(minutes=1)).isoformat()
    assert list(problem(api.post(KEYS, {**NEW_KEY, "expires_at": past}), 400, "invalid_input")["errors"]) == [
        "expires_at"
    ]
    assert keys_of(tenant) == 1


def test_what_a_key_does_is_in_the_audit_log(api: APIClient, tenant: Tenant) -> None:
    me = api.get(ME).json()
    created = api.post(KEYS, NEW_KEY).json()
    with tenant_scope(tenant):
        entry = AuditEntry.objects.of(tenant).latest("id")
    assert (entry.actor, entry.action, entry.target) == (me["key_id"], "api_key.created", created["id"])
    assert created["token"] not in str(entry.facts)


def test_a_sibling_application_is_out_of_reach(api: APIClient, application: Application, sibling: Application) -> None:
    assert [key["name"] for key in api.get(KEYS).json()["data"]] == ["Test"]
    assert [found["id"] for found in api.get("/api/v1/applications").json()["data"]] == [application.application_id]
    problem(api.get(f"/api/v1/applications/{sibling.application_id}"), 404, "not_found")
    problem(api.patch(f"/api/v1/applications/{sibling.application_id}", {"name": "Mine"}), 404, "not_found")


def test_settings_change_one_by_one(api: APIClient, application: Application) -> None:
    path = f"/api/v1/applications/{application.application_id}"
    before = api.get(path).json()["settings"]
    after = api.patch(path, {"settings": {"max_connections": 7}}).json()["settings"]
    assert after == {**before, "max_connections": 7}
    record = find_application(application_id=application.application_id)
    assert record is not None
    assert record.settings.max_connections == 7


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"settings": {"max_connections": -1}}, "settings.max_connections"),
        ({"settings": {"nonsense": 1}}, "settings.nonsense"),
        ({"settings": []}, "settings"),
        ({"name": ""}, "name"),
        ({"name": "x" * 10_000}, "name"),
        ({"is_enabled": False}, "is_enabled"),
    ],
)
def test_settings_that_cannot_be_change_nothing(
    api: APIClient, application: Application, body: dict[str, object], field: str
) -> None:
    path = f"/api/v1/applications/{application.application_id}"
    before = api.get(path).json()
    assert list(problem(api.patch(path, body), 400, "invalid_input")["errors"]) == [field]
    assert api.get(path).json() == before


def test_a_page_costs_the_same_with_one_row_and_with_three(
    api: APIClient, tenant: Tenant, application: Application
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            api.get(KEYS)
        return len(captured)

    queries()  # the first use of a key in a minute notes it
    with_one = queries()
    with tenant_scope(tenant):
        for name in ("2", "3"):
            create_api_key(tenant=tenant, application=application, name=name, scopes=["publish"])
    assert queries() == with_one
