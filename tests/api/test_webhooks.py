"""`/api/v1/webhooks`: registering, changing, the log of calls, replay. Delivery itself is tested in tests/webhooks."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.core import clock
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope
from apps.webhooks.models import Attempt, Delivery, DeliveryState, Lane
from tests.api.helpers import problem

pytestmark = pytest.mark.django_db

_BODY = {"url": "https://hooks.example.com/in", "events": ["member_added", "channel_occupied"]}


@pytest.fixture
def webhook(api: APIClient) -> dict[str, Any]:
    return api.post("/api/v1/webhooks", _BODY).json()


def test_a_webhook_is_made_with_a_secret_that_is_never_shown_again(api: APIClient) -> None:
    answer = api.post("/api/v1/webhooks", {**_BODY, "signing": "both", "batching": True})
    made = answer.json()
    assert answer.status_code == 201
    assert made.pop("secret").startswith("whsec_")
    assert (made["url"], made["signing"], made["batching"], made["enabled"]) == (_BODY["url"], "both", True, True)
    assert made["events"] == ["channel_occupied", "member_added"]
    assert api.get(f"/api/v1/webhooks/{made['id']}").json() == made
    assert api.get("/api/v1/webhooks").json() == {"data": [made], "next": None}


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"url": "https://10.0.0.1/"}, "webhook_url_refused", "url"),
        ({"url": "http://example.com/"}, "webhook_url_refused", "url"),
        ({"events": []}, "invalid_input", "events"),
        ({"events": ["nonsense"]}, "invalid_input", "events"),
        ({"signing": "md5"}, "invalid_input", "signing"),
        ({"batch_events": 0}, "invalid_input", "batch_events"),
        ({"batch_events": 501}, "invalid_input", "batch_events"),
        ({"batch_bytes": 999}, "invalid_input", "batch_bytes"),
        ({"batch_bytes": 256_001}, "invalid_input", "batch_bytes"),
        ({"secret": "mine"}, "invalid_input", "secret"),
    ],
)
def test_a_bad_webhook_is_refused_and_nothing_is_kept(
    api: APIClient, change: dict[str, object], code: str, field: str
) -> None:
    told = problem(api.post("/api/v1/webhooks", {**_BODY, **change}), 400, code)
    assert any(field in str(error) for error in told["errors"])
    assert api.get("/api/v1/webhooks").json()["data"] == []


def test_what_is_given_changes_and_the_rest_stays(api: APIClient, webhook: dict[str, Any]) -> None:
    url = f"/api/v1/webhooks/{webhook['id']}"
    changed = api.patch(url, {"enabled": False}).json()
    assert (changed["enabled"], changed["disabled_reason"], changed["url"]) == (False, "by_hand", webhook["url"])
    changed = api.patch(url, {"batch_events": 500, "batch_bytes": 1_000}).json()
    assert (changed["batch_events"], changed["batch_bytes"], changed["batching"]) == (500, 1_000, False)
    changed = api.patch(url, {"enabled": True, "events": ["cache_miss"]}).json()
    assert (changed["enabled"], changed["disabled_reason"], changed["events"]) == (True, "", ["cache_miss"])
    assert api.delete(url).status_code == 204
    problem(api.get(url), 404, "not_found")


def test_a_new_secret_is_another_one(api: APIClient, webhook: dict[str, Any]) -> None:
    fresh = api.post(f"/api/v1/webhooks/{webhook['id']}/secret").json()["secret"]
    assert fresh.startswith("whsec_")
    assert fresh != webhook["secret"]


def test_a_delivery_shows_its_attempts_and_is_replayed(api: APIClient, webhook: dict[str, Any], tenant: Tenant) -> None:
    base = f"/api/v1/webhooks/{webhook['id']}"
    answer = api.post(f"{base}/test")
    assert answer.status_code == 202
    delivery = answer.json()
    assert delivery["events"] == [{"name": "test", "channel": "test"}]
    one = f"{base}/deliveries/{delivery['id']}"
    problem(api.post(f"{one}/replay"), 409, "webhook_delivery_pending")
    _give_up(tenant)
    detail = api.get(one).json()
    assert (detail["state"], len(detail["attempt_log"])) == ("dead", 1)
    assert detail["attempt_log"][0].items() >= {"number": 1, "outcome": "refused", "status": 500}.items()
    assert [row["id"] for row in api.get(f"{base}/deliveries?state=dead").json()["data"]] == [delivery["id"]]
    assert api.get(f"{base}/deliveries?state=delivered").json()["data"] == []
    assert api.get(f"{base}/deliveries?state=nonsense").json()["data"] == []
    assert api.post(f"{one}/replay").json()["state"] == "pending"
    _give_up(tenant)
    assert api.post(f"{base}/replay", {"since": "2999-01-01T00:00:00Z"}).json() == {"replayed": 0}
    assert api.post(f"{base}/replay", {}).json() == {"replayed": 1}
    with tenant_scope(tenant):
        assert Lane.objects.of(tenant).count() == 1


def test_a_disabled_webhook_replays_and_tests_nothing(api: APIClient, webhook: dict[str, Any]) -> None:
    base = f"/api/v1/webhooks/{webhook['id']}"
    api.patch(base, {"enabled": False})
    for action in ("test", "replay"):
        problem(api.post(f"{base}/{action}", {}), 409, "webhook_disabled")


def _give_up(tenant: Tenant) -> None:
    with tenant_scope(tenant):
        delivery = Delivery.objects.of(tenant).get()
        Lane.objects.of(tenant).delete()
        Attempt.objects.get_or_create(
            tenant=tenant, delivery=delivery, number=1, defaults={"outcome": "refused", "status": 500}
        )
        Delivery.objects.of(tenant).update(state=DeliveryState.DEAD, finished_at=clock.now())
