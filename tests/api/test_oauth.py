"""`/api/oauth/token` and `/api/oauth/revoke`: RFC 6749 and RFC 7009, case by case."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlencode

import pytest
import redis
from django.test import Client
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from apps.api import ratelimit
from apps.tenants.models import Application, OAuthToken, Tenant
from apps.tenants.scope import tenant_scope
from apps.tenants.services import NewOAuthClient, create_oauth_client, revoke_oauth_client, update_application
from tests.api.helpers import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clean_valkey")]

TOKEN, REVOKE, ME = "/api/oauth/token", "/api/oauth/revoke", "/api/v1/me"
FORM = "application/x-www-form-urlencoded"
GRANT = {"grant_type": "client_credentials"}


@pytest.fixture
def made(tenant: Tenant, application: Application) -> NewOAuthClient:
    with tenant_scope(tenant):
        return create_oauth_client(
            tenant=tenant, application=application, name="Gateway", scopes=["publish", "usage.read"]
        )


def basic(client_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


def send(url: str, form: dict[str, str] | list[tuple[str, str]] | str, authorization: str = "", **extra: Any) -> Any:
    body = form if isinstance(form, str) else urlencode(form)
    headers = {"authorization": authorization} if authorization else {}
    return Client(enforce_csrf_checks=True).post(url, body, content_type=FORM, headers=headers, **extra)


def ask(made: NewOAuthClient, form: dict[str, str] | list[tuple[str, str]] | str = GRANT, url: str = TOKEN) -> Any:
    return send(url, form, basic(made.client.public_id, made.secret))


def bearer(token: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def refused(response: Any, status: int, error: str) -> None:
    """A well-formed error of RFC 6749, section 5.2, that no cache keeps."""
    assert (response.status_code, response.json()["error"]) == (status, error)
    assert set(response.json()) <= {"error", "error_description"}
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"


def tokens_of(tenant: Tenant) -> int:
    with tenant_scope(tenant):
        return OAuthToken.objects.of(tenant).count()


def test_a_token_is_given_for_900_seconds_and_not_cached(made: NewOAuthClient, application: Application) -> None:
    response = ask(made)
    body = response.json()
    assert response.status_code == 200
    assert (response.headers["Cache-Control"], response.headers["Pragma"]) == ("no-store", "no-cache")
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 900, "publish usage.read")
    assert "refresh_token" not in body
    me = bearer(body["access_token"]).get(ME).json()
    assert me["application_id"] == application.application_id
    assert me["key_id"] == made.client.public_id
    assert me["scopes"] == ["publish", "usage.read"]


def test_a_client_may_authenticate_in_the_form(made: NewOAuthClient) -> None:
    form = {**GRANT, "client_id": made.client.public_id, "client_secret": made.secret}
    assert send(TOKEN, form).status_code == 200


def test_a_client_may_name_itself_beside_http_basic(made: NewOAuthClient) -> None:
    assert ask(made, {**GRANT, "client_id": made.client.public_id}).status_code == 200


def test_fewer_scopes_can_be_asked_for_and_bind_the_token(made: NewOAuthClient) -> None:
    body = ask(made, {**GRANT, "scope": "usage.read"}).json()
    assert body["scope"] == "usage.read"
    client = bearer(body["access_token"])
    assert client.get("/api/v1/usage").status_code == 200
    problem(client.get("/api/v1/api-keys"), 403, "scope_missing")


@pytest.mark.parametrize("scope", ["audience.read", "publish audience.read", "everything", "publish  usage.read", "é"])
def test_more_scopes_than_the_client_has_are_refused(made: NewOAuthClient, tenant: Tenant, scope: str) -> None:
    refused(ask(made, {**GRANT, "scope": scope}), 400, "invalid_scope")
    assert tokens_of(tenant) == 0


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"scope": "publish"}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "password", "username": "a", "password": "b"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code", "code": "x"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "unsupported_grant_type"),
        ([*GRANT.items(), *GRANT.items()], "invalid_request"),
        ([*GRANT.items(), ("scope", "publish"), ("scope", "usage.read")], "invalid_request"),
        ({**GRANT, "client_secret": "twice"}, "invalid_request"),
        ({**GRANT, "client_id": "somebody-else"}, "invalid_request"),
        ("grant_type=%ff", "invalid_request"),
        ("é", "invalid_request"),
        ("&".join(f"a{number}=1" for number in range(1_000)), "invalid_request"),
    ],
)
def test_a_bad_request_is_explained(made: NewOAuthClient, tenant: Tenant, form: Any, error: str) -> None:
    refused(ask(made, form), 400, error)
    assert tokens_of(tenant) == 0


def test_parameters_nobody_knows_are_ignored(made: NewOAuthClient) -> None:
    assert ask(made, {**GRANT, "audience": "x", "empty": ""}).status_code == 200


def test_a_body_over_the_limit_is_refused(made: NewOAuthClient) -> None:
    refused(ask(made, {**GRANT, "padding": "x" * 9_000}), 413, "invalid_request")


def test_only_a_form_in_the_body_is_read(made: NewOAuthClient) -> None:
    authorization = basic(made.client.public_id, made.secret)
    json = Client().post(TOKEN, GRANT, content_type="application/json", headers={"authorization": authorization})
    refused(json, 400, "invalid_request")
    refused(send(f"{TOKEN}?grant_type=client_credentials", {}, authorization), 400, "invalid_request")


@pytest.mark.parametrize("url", [TOKEN, REVOKE])
def test_another_method_is_refused(url: str) -> None:
    response = Client(enforce_csrf_checks=True).get(url)
    refused(response, 405, "invalid_request")
    assert response.headers["Allow"] == "POST"


@pytest.mark.parametrize("url", [TOKEN, REVOKE])
def test_a_client_that_cannot_be_proved_is_told_how_to_try(made: NewOAuthClient, tenant: Tenant, url: str) -> None:
    form, known = {**GRANT, "token": "x"}, made.client.public_id
    for authorization in (
        "", basic(known, "wrong"), basic(known, made.secret[:-1]), basic("ocl_" + "0" * 22, made.secret),
        basic("", ""), "Basic", "Basic !!", "Basic é", f"Bearer {made.secret}", basic("\0", "\0"),
    ):  # fmt: skip
        response = send(url, form, authorization)
        refused(response, 401, "invalid_client")
        assert response.headers["WWW-Authenticate"] == 'Basic realm="pushsaas"'
    refused(send(url, {**form, "client_id": known, "client_secret": "wrong"}), 401, "invalid_client")
    refused(send(url, {**form, "client_id": known}), 401, "invalid_client")
    assert tokens_of(tenant) == 0


def test_a_revoked_client_is_refused_and_its_token_with_it(made: NewOAuthClient, tenant: Tenant) -> None:
    token = ask(made).json()["access_token"]
    assert bearer(token).get(ME).status_code == 200
    with tenant_scope(tenant):
        revoke_oauth_client(tenant=tenant, client=made.client)
    problem(bearer(token).get(ME), 401, "unauthenticated")
    refused(ask(made), 401, "invalid_client")


def test_a_disabled_application_gets_no_token(made: NewOAuthClient, tenant: Tenant, application: Application) -> None:
    token = ask(made).json()["access_token"]
    with tenant_scope(tenant):
        update_application(tenant=tenant, application=application, is_enabled=False)
    refused(ask(made), 400, "unauthorized_client")
    problem(bearer(token).get(ME), 403, "application_disabled")


@pytest.mark.parametrize("hint", [{}, {"token_type_hint": "access_token"}, {"token_type_hint": "refresh_token"}])
def test_a_revoked_token_opens_nothing(made: NewOAuthClient, hint: dict[str, str]) -> None:
    token = ask(made).json()["access_token"]
    for _repeated in range(2):
        response = ask(made, {"token": token, **hint}, REVOKE)
        assert (response.status_code, response.content) == (200, b"")
        assert response.headers["Cache-Control"] == "no-store"
    problem(bearer(token).get(ME), 401, "unauthenticated")


def test_a_token_of_somebody_else_is_not_revoked_and_nobody_is_told(
    made: NewOAuthClient, other_tenant: Tenant, other_application: Application
) -> None:
    with tenant_scope(other_tenant):
        other = create_oauth_client(tenant=other_tenant, application=other_application, name="O", scopes=["publish"])
    theirs = ask(other).json()["access_token"]
    answers = [ask(made, {"token": token}, REVOKE) for token in (theirs, "unknown")]
    assert [(answer.status_code, answer.content) for answer in answers] == [(200, b"")] * 2
    assert bearer(theirs).get(ME).status_code == 200


def test_nothing_to_revoke_is_a_bad_request(made: NewOAuthClient) -> None:
    refused(ask(made, {}, REVOKE), 400, "invalid_request")


def test_a_client_that_asks_too_often_waits_and_others_do_not(
    made: NewOAuthClient, tenant: Tenant, application: Application, settings: Settings
) -> None:
    with tenant_scope(tenant):
        second = create_oauth_client(tenant=tenant, application=application, name="2", scopes=["publish"])
    settings.OAUTH_RATE_LIMITS = {"client": (1, 0.001), "network": (100, 0.001)}
    assert ask(made).status_code == 200
    response = ask(made)
    refused(response, 429, "temporarily_unavailable")
    assert int(response.headers["Retry-After"]) in range(1, 1_001)
    assert ask(second).status_code == 200
    elsewhere = send(TOKEN, GRANT, basic(made.client.public_id, made.secret), REMOTE_ADDR="192.0.2.7")
    assert elsewhere.status_code == 200


def test_a_network_that_tries_many_clients_waits(made: NewOAuthClient, settings: Settings) -> None:
    settings.OAUTH_RATE_LIMITS = {"client": (100, 0.001), "network": (2, 0.001)}
    for number in range(2):
        refused(send(TOKEN, GRANT, basic(f"guess-{number}", "x")), 401, "invalid_client")
    refused(ask(made), 429, "temporarily_unavailable")


def test_without_valkey_tokens_are_given(made: NewOAuthClient, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = redis.Redis.from_url("unix:///nowhere/valkey.sock")
    monkeypatch.setattr(ratelimit.valkey, "connect", lambda region: nowhere)
    assert ask(made).status_code == 200
