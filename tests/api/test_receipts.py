"""The doors for receipts: with an API key, with nothing but a token, and by following a link."""

from __future__ import annotations

import json
from decimal import Decimal
from urllib.parse import urlencode

import pytest
from django.test import Client
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from apps.messaging.models import Delivery, Message, Receipt
from apps.messaging.receipts.clicks import tracked
from apps.messaging.sending.pipeline import send_due_chunks
from apps.messaging.services import accept_message, record_reports
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope
from apps.tenants.services import create_application
from tests.api.helpers import problem
from tests.sending import Recorder, network, people

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker", "clean_valkey")]
__all__ = ["network", "people"]

HOME = "https://push.example"
SHOP = "https://shop.example/a b?x=1&y=2#top"


@pytest.fixture
def sent(application: Application, people: list[str], network: Recorder) -> Message:
    with tenant_scope(application.tenant):
        message = accept_message(
            tenant=application.tenant, application=application, content={"en": {"title": "Hi"}}, routes=["realtime"],
            external_ids=people,
        )  # fmt: skip
    send_due_chunks(seconds=30)
    return message


def kinds(message: Message) -> list[str]:
    with tenant_scope(message.tenant_id):
        return sorted(Receipt.objects.of(message.tenant_id).filter(message=message).values_list("kind", flat=True))


def post(body: object, content_type: str = "application/json"):
    return Client().post("/r", body if isinstance(body, str | bytes) else json.dumps(body), content_type=content_type)


def test_a_phone_reports_with_the_token_alone_from_any_page(sent: Message, network: Recorder) -> None:
    answer = post({"token": network.pushes[0].receipt, "kind": "opened"})
    assert answer.status_code == 200
    assert answer.json()["counts"] == {"recorded": 1, "duplicate": 0, "rejected": 0}
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert kinds(sent) == ["opened", "received"]


def test_a_beacons_text_is_read_as_json(sent: Message, network: Recorder) -> None:
    told = {"receipts": [{"token": push.receipt, "kind": "received"} for push in network.pushes]}
    assert post(told, "text/plain;charset=UTF-8").json()["counts"]["recorded"] == 3
    assert post(told, "text/plain;charset=UTF-8").json()["counts"]["duplicate"] == 3
    assert kinds(sent) == ["received"] * 3


def test_a_browser_may_ask_first() -> None:
    answer = Client().options("/r", headers={"origin": "https://shop.example"})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (204, "*")
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("{", 400, "malformed_json"),
        ("", 400, "malformed_json"),
        ('{"receipts": []}', 400, "invalid_batch"),
        ('{"receipts": {}}', 400, "invalid_batch"),
        (json.dumps({"receipts": [{}] * 101}), 400, "invalid_batch"),
        (json.dumps({"kind": "x" * 70_000}), 413, "body_too_large"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(body: str, status: int, code: str) -> None:
    problem(post(body), status, code)


def test_a_body_that_is_no_receipt_is_told_so() -> None:
    for body in ("[]", "1", "null", '"opened"', "{}"):
        assert post(body).json()["results"][0]["code"] == "token_invalid"


def test_only_post_is_answered() -> None:
    problem(Client().get("/r"), 405, "method_not_allowed")


def test_a_network_that_asks_too_often_waits(settings: Settings) -> None:
    settings.CLIENT_RATE_LIMIT = (2, 0.001)
    assert [post("{}").status_code for _ in range(3)] == [200, 200, 429]
    assert int(post("{}").headers["Retry-After"]) > 0


def test_a_server_reports_by_delivery_or_by_token(api: APIClient, sent: Message, network: Recorder) -> None:
    with tenant_scope(sent.tenant_id):
        first, second, _third = Delivery.objects.of(sent.tenant_id).filter(message=sent).order_by("id")
    sale = {"delivery_id": first.public_id, "kind": "converted", "amount": "9.90", "currency": "EUR"}
    answer = api.post("/api/v1/receipts", {"receipts": [sale, {"token": network.pushes[1].receipt, "kind": "opened"}]})
    assert answer.json()["counts"] == {"recorded": 2, "duplicate": 0, "rejected": 0}
    assert api.post("/api/v1/receipts", sale).json()["results"][0]["status"] == "duplicate"
    counts = api.get(f"/api/v1/messages/{sent.public_id}").json()["counts"]
    assert (counts["received"], counts["opened"], counts["converted"]) == (2, 1, 1)
    assert counts["revenue"] == {"EUR": "9.9000"}
    assert second.pk != first.pk


def test_the_neighbours_delivery_is_as_unknown_as_nobodys(
    api: APIClient, other_api: APIClient, sent: Message, network: Recorder
) -> None:
    with tenant_scope(sent.tenant_id):
        delivery = Delivery.objects.of(sent.tenant_id).filter(message=sent).earliest("id")
        sister = create_application(tenant=sent.tenant, name="Sister").application
        of_sister = record_reports(application=sister, reports=[{"delivery_id": delivery.public_id, "kind": "opened"}])
    by_id = {"delivery_id": delivery.public_id, "kind": "opened"}
    refused = other_api.post("/api/v1/receipts", by_id).json()
    assert refused["results"][0]["code"] == "delivery_unknown"
    assert refused == other_api.post("/api/v1/receipts", by_id | {"delivery_id": "dlv_" + "0" * 22}).json()
    by_token = other_api.post("/api/v1/receipts", {"token": network.pushes[0].receipt, "kind": "opened"}).json()
    assert by_token["results"][0]["code"] == "token_invalid"
    assert of_sister[0].status == "rejected"
    assert kinds(sent) == []


def test_a_link_notes_the_click_once_and_leads_on(sent: Message, network: Recorder) -> None:
    link = tracked(HOME, sent.tenant_id, network.pushes[0].receipt, SHOP).removeprefix(HOME)
    for _ in range(2):
        answer = Client().get(link)
        assert (answer.status_code, answer.headers["Referrer-Policy"]) == (302, "no-referrer")
        assert answer.headers["Location"] == "https://shop.example/a%20b?x=1&y=2#top"
    assert kinds(sent) == ["clicked", "opened", "received"]


def test_looking_ahead_is_no_click(sent: Message, network: Recorder) -> None:
    link = tracked(HOME, sent.tenant_id, network.pushes[0].receipt, SHOP).removeprefix(HOME)
    assert Client().head(link).status_code == 302
    assert Client().get(link, headers={"sec-purpose": "prefetch;prerender"}).status_code == 302
    assert kinds(sent) == []


def test_a_link_leads_nowhere_else(sent: Message, network: Recorder) -> None:
    token, other = network.pushes[0].receipt, network.pushes[1].receipt
    link = tracked(HOME, sent.tenant_id, token, "https://shop.example/").removeprefix(HOME)
    foreign = tracked(HOME, sent.tenant_id + 1, token, "https://evil.example/").removeprefix(HOME)
    for forged in (
        link.replace("shop.example", "evil.example"),
        link.replace("https:", "javascript:"),
        link.replace(token, other),
        link.partition("&s=")[0],
        link + "x",
        link.replace("u=https", "u=%00https"),
        foreign,
    ):
        problem(Client().get(forged), 404, "not_found")
    assert kinds(sent) == []


def test_an_apps_own_address_is_left_as_it_is() -> None:
    assert tracked(HOME, 1, "t" * 40, "myshop://basket/7") == "myshop://basket/7"


def test_revenue_keeps_every_decimal(api: APIClient, sent: Message, network: Recorder) -> None:
    for push in network.pushes:
        post({"token": push.receipt, "kind": "converted", "amount": "0.1", "currency": "EUR"})
    revenue = api.get(f"/api/v1/messages/{sent.public_id}").json()["counts"]["revenue"]
    assert Decimal(revenue["EUR"]) == Decimal("0.3")


def test_a_phone_maker_reports_with_the_token_it_was_given(sent: Message, network: Recorder) -> None:
    first, second, _third = network.pushes
    told = {
        "m1": {"param": first.receipt, "type": 1, "targets": "r1"},
        "m2": {"param": second.receipt, "type": 2, "targets": "r2"},
        "m3": {"param": "x" * 40, "type": 2, "targets": "r3"},
    }
    for _ in range(2):
        form = urlencode({"data": json.dumps(told)})
        answer = Client().post("/r/xiaomi", form, content_type="application/x-www-form-urlencoded")
        assert (answer.status_code, answer.json()) == (200, {"code": "0", "message": "success"})
    assert kinds(sent) == ["clicked", "opened", "received", "received"]


def test_nobody_reports_for_a_maker_that_there_is_not(sent: Message) -> None:
    answer = Client().post("/r/nokia", {"data": "{}"})
    problem(answer, 404, "not_found")
