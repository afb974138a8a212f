"""Applications and keys: made, shown once, revoked, and never somebody else's."""

from __future__ import annotations

import re

import pytest
from django.contrib.sessions.backends.base import SessionBase
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.dashboard.applications.snippets import Place, snippets
from apps.tenants.models import ApiKey, Application, Credential, Tenant
from apps.tenants.permissions import Role
from apps.tenants.queries import find_api_key, find_application
from apps.tenants.scope import tenant_scope
from apps.tenants.services import NewApplication, create_application
from tests.dashboard.conftest import member_client

pytestmark = pytest.mark.django_db


def page(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, response.content
    return response.content.decode()


def shown(html: str, what: str) -> str:
    found = re.search(rf'id="once-{what}">([^<]+)<', html)
    return found.group(1) if found else ""


def test_a_new_application_shows_its_secret_once(developer: Client) -> None:
    created = developer.post("/applications/new", {"name": "Shop"})
    first = page(developer, created.url)
    record = find_application(key=shown(first, "key"))
    assert record is not None
    assert record.credentials[shown(first, "key")] == shown(first, "secret")
    again = page(developer, created.url)
    assert shown(first, "secret") not in again


def test_a_waiting_secret_is_sealed_in_the_session(developer: Client) -> None:
    created = developer.post("/applications/new", {"name": "Shop"})
    session: SessionBase = developer.session
    waiting = str(session["shown_once"])
    secret = shown(page(developer, created.url), "secret")
    assert len(secret) >= 40
    assert secret not in waiting


@pytest.mark.parametrize("name", ["", "   ", "n" * 10_000, "a\x00b"])
def test_a_bad_name_is_explained_and_makes_nothing(developer: Client, tenant: Tenant, name: str) -> None:
    response = developer.post("/applications/new", {"name": name})
    assert response.status_code == 200
    assert b"errorlist" in response.content
    with tenant_scope(tenant):
        assert not Application.objects.of(tenant).exists()


def test_a_second_key_works_beside_the_first_until_one_is_revoked(
    developer: Client, tenant: Tenant, new_application: NewApplication
) -> None:
    home = f"/applications/{new_application.application.public_id}/"
    developer.post(f"{home}credentials")
    second = shown(page(developer, home), "key")
    assert find_application(key=second) is not None
    with tenant_scope(tenant):
        first = Credential.objects.of(tenant).get(key=new_application.key)
    developer.post(f"{home}credentials/{first.public_id}/revoke")
    assert find_application(key=new_application.key) is None
    assert find_application(key=second) is not None


def test_an_api_key_opens_what_was_ticked_and_nothing_after_it_is_revoked(
    developer: Client, tenant: Tenant, application: Application
) -> None:
    home = f"/applications/{application.public_id}/"
    developer.post(f"{home}api-keys/new", {"name": "Server", "scopes": ["publish", "usage.read"], "days": "30"})
    token = shown(page(developer, home), "token")
    record = find_api_key(token)
    assert record is not None
    assert record.scopes == {"publish", "usage.read"}
    with tenant_scope(tenant):
        key = ApiKey.objects.of(tenant).get()
    developer.post(f"{home}api-keys/{key.public_id}/revoke")
    assert find_api_key(token) is None


def test_nobody_gives_a_key_more_than_they_may_do(developer: Client, tenant: Tenant, application: Application) -> None:
    form = {"name": "Server", "scopes": ["campaigns.send"], "days": "30"}
    response = developer.post(f"/applications/{application.public_id}/api-keys/new", form)
    assert b"errorlist" in response.content
    with tenant_scope(tenant):
        assert not ApiKey.objects.of(tenant).exists()


def test_settings_are_saved_and_bounds_are_kept(developer: Client, tenant: Tenant, application: Application) -> None:
    url = f"/applications/{application.public_id}/settings"
    form = dict(re.findall(r'name="(\w+)" value="(\d+)"', page(developer, url)))
    saved = developer.post(url, {**form, "name": "Renamed", "is_enabled": "on", "max_event_bytes": "2048"})
    assert saved.status_code == 302
    with tenant_scope(tenant):
        application.refresh_from_db()
    assert (application.name, application.settings["max_event_bytes"]) == ("Renamed", 2048)
    refused = developer.post(url, {**form, "name": "Again", "max_event_bytes": "999999999"})
    assert b"errorlist" in refused.content
    with tenant_scope(tenant):
        assert application.refreshed().name == "Renamed"


def test_the_neighbours_application_is_not_there(developer: Client, other_application: Application) -> None:
    home = f"/applications/{other_application.public_id}/"
    assert other_application.name not in page(developer, "/applications/")
    assert developer.get(home).status_code == 404
    assert developer.get(f"{home}settings").status_code == 404
    assert developer.post(f"{home}credentials").status_code == 404
    assert developer.post(f"{home}api-keys/new", {"name": "x", "scopes": ["publish"], "days": 0}).status_code == 404


def test_a_key_of_another_application_is_not_revoked_here(
    developer: Client, other_new_application: NewApplication, application: Application, other_tenant: Tenant
) -> None:
    with tenant_scope(other_tenant):
        foreign = Credential.objects.of(other_tenant).get()
    url = f"/applications/{application.public_id}/credentials/{foreign.public_id}/revoke"
    assert developer.post(url).status_code == 404
    assert find_application(key=other_new_application.key) is not None


def test_who_may_only_read_sees_no_buttons_and_no_doors(tenant: Tenant, application: Application) -> None:
    analyst = member_client(tenant, Role.ANALYST)
    home = f"/applications/{application.public_id}/"
    assert "/revoke" not in page(analyst, home)
    for url in (f"{home}credentials", f"{home}api-keys/new", f"{home}settings", "/applications/new"):
        assert analyst.post(url).status_code == 403


def test_snippets_quote_what_they_are_given() -> None:
    place = Place("https://push.example", "42", 'a"b', "s", "t")
    texts = {snippet.name: snippet.code for snippet in snippets(place)}
    assert '"a\\"b"' in texts["pusher-js"]
    assert "port=443, ssl=True" in texts["python"]


def test_the_list_needs_as_many_queries_for_three_as_for_one(
    developer: Client, tenant: Tenant, application: Application
) -> None:
    with CaptureQueriesContext(connection) as one:
        developer.get("/applications/")
    with tenant_scope(tenant):
        for number in range(2):
            create_application(tenant=tenant, name=f"More {number}")
    with CaptureQueriesContext(connection) as three:
        developer.get("/applications/")
    assert len(three) == len(one)
