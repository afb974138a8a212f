"""Idempotency-Key: done once, answered as often as asked."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from rest_framework.test import APIClient

from apps.api import tasks
from apps.api.models import IdempotencyRecord
from apps.api.v1.api_keys import ApiKeyList
from apps.core import clock
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope
from apps.tenants.services import create_api_key, create_application
from tests.api.helpers import KEYS, NEW_KEY, keys_of, problem

pytestmark = pytest.mark.django_db


def post(api: APIClient, key: str = "order-1", body: object = NEW_KEY):
    return api.post(KEYS, body, headers={"idempotency-key": key})


def test_a_repeat_gets_the_first_answer_and_does_nothing(api: APIClient, tenant: Tenant) -> None:
    first, again = post(api), post(api)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert ("Idempotent-Replayed" in first.headers, again.headers["Idempotent-Replayed"]) == (False, "true")
    assert keys_of(tenant) == 2


def test_the_same_json_written_differently_is_the_same_request(api: APIClient, tenant: Tenant) -> None:
    first = post(api)
    again = api.generic(
        "POST", KEYS, '{"scopes":\n["publish"], "name": "CI"}', content_type="application/json",
        headers={"idempotency-key": "order-1"},
    )  # fmt: skip
    assert again.json() == first.json()


def test_another_body_under_the_same_key_is_refused(api: APIClient, tenant: Tenant) -> None:
    post(api)
    problem(post(api, body={**NEW_KEY, "name": "Another"}), 422, "idempotency_key_reused")
    assert keys_of(tenant) == 2


def test_a_refused_request_is_not_remembered(api: APIClient, tenant: Tenant) -> None:
    problem(post(api, body={"name": "", "scopes": []}), 400, "invalid_input")
    assert post(api).status_code == 201


def test_a_crash_is_not_remembered(api: APIClient, tenant: Tenant) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ApiKeyList, "post", lambda self, request: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            post(api)
    response = post(api)
    assert (response.status_code, "Idempotent-Replayed" in response.headers) == (201, False)


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "a\tb", "é"])
def test_a_key_that_cannot_be_one_is_refused(api: APIClient, tenant: Tenant, key: str) -> None:
    problem(post(api, key), 400, "invalid_idempotency_key")
    assert keys_of(tenant) == 1


def test_the_neighbours_key_is_another_key(api: APIClient, other_api: APIClient, other_tenant: Tenant) -> None:
    assert post(api).json()["id"] != post(other_api).json()["id"]
    assert keys_of(other_tenant) == 2


def test_another_application_of_the_tenant_has_keys_of_its_own(api: APIClient, tenant: Tenant) -> None:
    with tenant_scope(tenant):
        second = create_application(tenant=tenant, name="Second").application
        token = create_api_key(tenant=tenant, application=second, name="K", scopes=["keys.write", "publish"]).token
    other = APIClient()
    other.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    other.default_format = "json"
    assert post(api).json()["id"] != post(other).json()["id"]


def test_kept_answers_do_not_lie_in_clear(api: APIClient, tenant: Tenant) -> None:
    token = post(api).json()["token"]
    with tenant_scope(tenant):
        assert token not in IdempotencyRecord.objects.of(tenant).get().body_sealed


def test_a_key_is_free_again_after_its_time(api: APIClient, tenant: Tenant) -> None:
    first = post(api)
    with time_machine.travel(clock.now() + timedelta(hours=48, seconds=1)):
        assert post(api).json()["id"] != first.json()["id"]


@pytest.mark.usefixtures("as_worker")
def test_the_tick_forgets_what_is_past_of_every_tenant(
    api: APIClient, other_api: APIClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    post(api), post(other_api)
    with time_machine.travel(clock.now() + timedelta(hours=47)):
        post(api, "order-2")
    with time_machine.travel(clock.now() + timedelta(hours=49)):
        tasks.forget_idempotency_keys()
    with tenant_scope(tenant):
        assert list(IdempotencyRecord.objects.of(tenant).values_list("key", flat=True)) == ["order-2"]
    with tenant_scope(other_tenant):
        assert not IdempotencyRecord.objects.of(other_tenant).exists()


@pytest.mark.django_db(transaction=True)
def test_a_twin_waits_and_is_then_told_to_come_back(
    api: APIClient, api_key: str, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    working, finish = threading.Event(), threading.Event()
    original = ApiKeyList.post

    def slow(self: ApiKeyList, request):
        working.set()
        finish.wait(30)
        return original(self, request)

    def first_request() -> None:
        try:
            answers.append(post(api))
        finally:
            connection.close()

    monkeypatch.setattr(ApiKeyList, "post", slow)
    answers: list = []
    first = threading.Thread(target=first_request)
    first.start()
    assert working.wait(30)
    twin = APIClient()
    twin.credentials(HTTP_AUTHORIZATION=f"Bearer {api_key}")
    twin.default_format = "json"
    try:
        busy = post(twin)
    finally:
        finish.set()
        first.join(30)
    problem(busy, 409, "idempotency_key_busy")
    assert busy.headers["Retry-After"] == "1"
    assert post(twin).json() == answers[0].json()
    assert keys_of(tenant) == 2
