"""What every view below /api/v1 does before and after its handler."""

from __future__ import annotations

import pytest
import redis
from django.db import OperationalError
from django.test import Client
from pytest_django.fixtures import Settings
from rest_framework.response import Response
from rest_framework.test import APIClient

from apps.api import ratelimit
from apps.api.base import ApiView
from apps.api.v1.api_keys import ApiKeyList
from apps.core import valkey
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope
from apps.tenants.services import create_api_key, update_application
from tests.api.helpers import KEYS, NEW_KEY, keys_of, problem

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer psk_live_x", "Basic dXNlcjpwYXNz", "psk_live_x"])
def test_who_does_not_say_who_they_are_is_told_how(authorization: str, api_key: str) -> None:
    response = APIClient().get(KEYS, headers={"authorization": authorization} if authorization else {})
    problem(response, 401, "unauthenticated")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_key_of_a_disabled_application_opens_nothing(
    api: APIClient, tenant: Tenant, application: Application
) -> None:
    with tenant_scope(tenant):
        update_application(tenant=tenant, application=application, is_enabled=False)
    problem(api.get(KEYS), 403, "application_disabled")


def test_a_key_without_the_scope_is_told_which_it_needs(tenant: Tenant, application: Application) -> None:
    with tenant_scope(tenant):
        token = create_api_key(tenant=tenant, application=application, name="Key", scopes=["publish"]).token
    response = APIClient().post(KEYS, NEW_KEY, format="json", headers={"authorization": f"Bearer {token}"})
    assert problem(response, 403, "scope_missing")["required_scope"] == "keys.write"
    assert keys_of(tenant) == 1


def test_a_view_without_a_permission_for_each_method_is_not_even_loaded() -> None:
    with pytest.raises(TypeError, match="Open handles"):
        type("Open", (ApiView,), {"permissions": {}, "get": lambda self, request: Response()})


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/", "/api/v1/api-keys/", "/api/v2/api-keys"])
def test_a_route_that_does_not_exist_is_a_problem_too(path: str) -> None:
    problem(Client().get(path), 404, "not_found")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "TRACE", "INVENTED"])
def test_a_method_that_does_not_exist_names_those_that_do(api: APIClient, method: str) -> None:
    response = api.generic(method, KEYS)
    problem(response, 405, "method_not_allowed")
    assert set(response.headers["Allow"].split(", ")) == {"GET", "POST", "HEAD"}


def test_the_document_answers_another_method_like_the_rest() -> None:
    problem(Client(enforce_csrf_checks=True).post("/api/v1/openapi.json"), 405, "method_not_allowed")


def test_another_media_type_is_refused(api: APIClient) -> None:
    problem(api.post(KEYS, "name=CI", content_type="application/x-www-form-urlencoded"), 415, "unsupported_media_type")


def test_an_answer_in_another_media_type_cannot_be_had(api: APIClient) -> None:
    problem(api.get(KEYS, headers={"accept": "text/html"}), 406, "not_acceptable")


@pytest.mark.parametrize(
    "body",
    ["{", "", "nonsense", '{"name": NaN}', '{"name": "\\u0000"}', '{"a": [{"\\u0000": 1}]}', '{"name": "\\ud800"}',
     "[" * 100_000, b"\xff\xfe"],
)  # fmt: skip
def test_a_body_that_cannot_be_read_is_refused(api: APIClient, tenant: Tenant, body: str | bytes) -> None:
    response = api.generic("POST", KEYS, body, content_type="application/json")
    problem(response, 400, "malformed_json" if body else "invalid_input")
    assert keys_of(tenant) == 1


def test_a_body_nested_too_deep_is_refused_with_an_idempotency_key_too(api: APIClient) -> None:
    body = '{"name": ' + "[" * 900 + "]" * 900 + "}"
    response = api.generic("POST", KEYS, body, content_type="application/json", headers={"idempotency-key": "1"})
    problem(response, 400, "malformed_json")


@pytest.mark.parametrize("path", ["/api/v1/api-keys/a%00b", "/api/v1/api-keys?cursor=%00", "/api/v1/subscribers/%00"])
def test_a_null_character_in_the_address_is_refused(api: APIClient, path: str) -> None:
    problem(api.get(path), 400, "bad_request")


@pytest.mark.parametrize("body", ["[]", "1", '"text"', "null"])
def test_a_body_that_is_not_an_object_is_refused(api: APIClient, tenant: Tenant, body: str) -> None:
    assert problem(api.generic("POST", KEYS, body, content_type="application/json"), 400, "invalid_input")["errors"]
    assert keys_of(tenant) == 1


def test_a_body_over_the_limit_is_refused(api: APIClient, tenant: Tenant, settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    response = api.post(KEYS, {**NEW_KEY, "name": "x" * 1_000})
    assert problem(response, 413, "body_too_large")["limit_bytes"] == 1_000
    assert keys_of(tenant) == 1


def test_errors_are_told_by_field(api: APIClient, tenant: Tenant) -> None:
    response = api.post(KEYS, {"name": "x" * 10_000, "scopes": ["publish", "everything"], "nmae": 1})
    assert set(problem(response, 400, "invalid_input")["errors"]) == {"nmae"}
    response = api.post(KEYS, {"name": "x" * 10_000, "scopes": ["publish", "everything"]})
    assert set(problem(response, 400, "invalid_input")["errors"]) == {"name", "scopes.1"}
    assert keys_of(tenant) == 1


def test_a_crash_is_a_problem_that_tells_nothing(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(self: ApiView, request: object) -> Response:
        raise RuntimeError("a secret")

    monkeypatch.setattr(ApiKeyList, "get", crash)
    api.raise_request_exception = False
    response = api.get(KEYS)
    problem(response, 500, "internal_error")
    assert b"secret" not in response.content


def test_a_database_that_is_away_is_said_to_pass(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(self: ApiView, request: object) -> Response:
        raise OperationalError("connection refused")

    monkeypatch.setattr(ApiKeyList, "get", away)
    response = api.get(KEYS)
    problem(response, 503, "unavailable")
    assert response.headers["Retry-After"] == "1"


def test_an_answer_is_not_cached_and_carries_a_request_id(api: APIClient) -> None:
    response = api.get(KEYS)
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Request-Id"].startswith("req_")
    assert api.get(KEYS, headers={"x-request-id": "trace-0001"}).headers["X-Request-Id"] == "trace-0001"
    assert api.get(KEYS, headers={"x-request-id": "bad id\n"}).headers["X-Request-Id"].startswith("req_")


def test_plain_http_is_refused_and_not_redirected(api: APIClient, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    problem(api.get(KEYS), 403, "https_required")


@pytest.mark.usefixtures("clean_valkey")
def test_requests_are_counted_down_and_then_refused(api: APIClient, tenant: Tenant, settings: Settings) -> None:
    settings.API_RATE_LIMITS = {"key": (2, 0.001), "tenant": (100, 0.001)}
    answers = [api.get(KEYS) for _ in range(3)]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
    assert [answer.headers["RateLimit-Limit"] for answer in answers] == ["2", "2", "2"]
    assert answers[1].status_code == 200
    problem(answers[2], 429, "rate_limited")
    assert int(answers[2].headers["Retry-After"]) in range(1, 1_001)
    assert int(answers[2].headers["RateLimit-Reset"]) in range(1, 2_001)


@pytest.mark.usefixtures("clean_valkey")
def test_a_tenant_shares_one_bucket_and_leaves_its_neighbours_alone(
    api: APIClient, other_api: APIClient, tenant: Tenant, application: Application, settings: Settings
) -> None:
    with tenant_scope(tenant):
        second = create_api_key(tenant=tenant, application=application, name="2", scopes=["applications.read"]).token
    settings.API_RATE_LIMITS = {"key": (100, 0.001), "tenant": (1, 0.001)}
    assert api.get(KEYS).status_code == 200
    problem(APIClient().get(KEYS, headers={"authorization": f"Bearer {second}"}), 429, "rate_limited")
    assert other_api.get(KEYS).status_code == 200


def test_without_valkey_everybody_may_pass(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = redis.Redis.from_url("unix:///nowhere/valkey.sock")
    monkeypatch.setattr(ratelimit.valkey, "connect", lambda region: nowhere)
    response = api.get(KEYS)
    assert response.status_code == 200
    assert "RateLimit-Limit" not in response.headers


def test_buckets_do_not_stay_for_ever(api: APIClient, region: str, tenant: Tenant) -> None:
    api.get(KEYS)
    client = valkey.connect(region)
    names = client.keys(f"api:rate:{{{tenant.pk}}}:*")
    assert len(names) == 2
    assert all(0 < client.ttl(name) <= 60 for name in names)
