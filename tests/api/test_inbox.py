"""The inbox over REST, and for the end user whose token an application's server has signed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from apps.core import clock
from apps.core.web_tokens import sign_hs256
from apps.messaging.models import Message
from apps.messaging.sending.pipeline import send_due_chunks
from apps.messaging.services import accept_message
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope
from apps.tenants.services import NewApplication
from tests.api.helpers import problem
from tests.sending import Recorder, make_people, network, people

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker", "clean_valkey")]
__all__ = ["network", "people"]


def send(application: Application, people: list[str], title: str = "Hi") -> Message:
    with tenant_scope(application.tenant):
        message = accept_message(
            tenant=application.tenant, application=application, content={"en": {"title": title}}, routes=["realtime"],
            external_ids=people, follow_up={"inbox": {}},
        )  # fmt: skip
    send_due_chunks(seconds=30)
    return message


@pytest.fixture
def sent(application: Application, people: list[str], network: Recorder) -> list[Message]:
    return [send(application, people, title) for title in ("One", "Two", "Three")]


def token_of(made: NewApplication, external_id: object = "person-0000", **claims: Any) -> str:
    given = {"sub": external_id, "exp": int(clock.now().timestamp()) + 600, **claims}
    return sign_hs256(given, key_id=made.key, secret=made.secret)


def client_with(token: str) -> Client:
    return Client(headers={"authorization": f"Bearer {token}"})


@pytest.fixture
def person(new_application: NewApplication, sent: list[Message]) -> Client:
    return client_with(token_of(new_application))


def post(client: Client, path: str, body: object):
    return client.post(path, body, content_type="application/json")


def test_a_server_sees_reads_archives_and_deletes(api: APIClient, sent: list[Message]) -> None:
    inbox = "/api/v1/subscribers/person-0000/inbox"
    page = api.get(inbox, {"limit": 2}).json()
    assert [item["title"] for item in page["data"]] == ["Three", "Two"]
    assert page["unread"] == 3
    assert page["data"][0]["message_id"] == sent[2].public_id
    three, two = (item["id"] for item in page["data"])
    rest = api.get(inbox, {"cursor": page["next"]}).json()
    assert ([item["title"] for item in rest["data"]], rest["next"]) == (["One"], None)
    assert api.post(f"{inbox}/read", {"ids": [three]}).json() == {"unread": 2}
    assert [item["title"] for item in api.get(inbox, {"unread": "true"}).json()["data"]] == ["Two", "One"]
    assert api.post(f"{inbox}/archive", {"ids": [two]}).json() == {"unread": 1}
    assert [item["id"] for item in api.get(inbox, {"archived": "true"}).json()["data"]] == [two]
    assert api.delete(f"{inbox}/{three}").status_code == 204
    problem(api.delete(f"{inbox}/{three}"), 404, "not_found")
    assert api.post(f"{inbox}/read", {"all": True}).json() == {"unread": 0}


@pytest.mark.parametrize("body", [{}, {"ids": []}, {"ids": ["x"] * 101}, {"all": False}, {"all": True, "ids": ["x"]}])
def test_items_must_be_named(api: APIClient, sent: list[Message], body: dict[str, object]) -> None:
    problem(api.post("/api/v1/subscribers/person-0000/inbox/read", body), 400, "inbox_request_invalid")


def test_somebody_elses_item_is_passed_over_or_absent(api: APIClient, sent: list[Message]) -> None:
    theirs = api.get("/api/v1/subscribers/person-0001/inbox").json()["data"][0]["id"]
    assert api.post("/api/v1/subscribers/person-0000/inbox/read", {"ids": [theirs]}).json() == {"unread": 3}
    problem(api.delete(f"/api/v1/subscribers/person-0000/inbox/{theirs}"), 404, "not_found")
    problem(api.post("/api/v1/subscribers/person-0000/inbox/read", {"ids": ["ibx_nothing"]}), 404, "not_found")
    assert api.get("/api/v1/subscribers/person-0001/inbox").json()["unread"] == 3


def test_a_message_is_recalled_from_every_inbox(api: APIClient, sent: list[Message]) -> None:
    for _ in range(2):
        assert api.post(f"/api/v1/messages/{sent[1].public_id}/recall").status_code == 204
    for number in range(3):
        page = api.get(f"/api/v1/subscribers/person-000{number}/inbox").json()
        assert [item["title"] for item in page["data"]] == ["Three", "One"]


def test_a_campaign_asks_for_copies_and_recalls_them(
    api: APIClient, application: Application, people: list[str], network: Recorder, drive: Callable[[], None]
) -> None:
    plan = {"name": "Sale", "audience": {"all": True}, "content": {"en": {"title": "Sale"}}}
    created = api.post("/api/v1/campaigns", plan | {"follow_up": {"inbox": {"expires_after": 600}}}).json()
    assert created["follow_up"] == {"inbox": {"expires_after": 600}}
    campaign = f"/api/v1/campaigns/{created['id']}"
    assert api.patch(campaign, {"name": "Sales"}).json()["follow_up"] == {"inbox": {"expires_after": 600}}
    refused = api.patch(campaign, {"follow_up": {"inbox": {"expires_after": 1}}})
    assert "follow_up.inbox.expires_after" in problem(refused, 400, "follow_up_invalid")["errors"]
    api.post(f"{campaign}/schedule", {"send_at": None})
    drive()
    inbox = "/api/v1/subscribers/person-0000/inbox"
    assert [item["title"] for item in api.get(inbox).json()["data"]] == ["Sale"]
    assert api.post(f"{campaign}/recall").status_code == 204
    assert api.get(inbox).json() == {"data": [], "next": None, "unread": 0}


@pytest.fixture
def drive() -> Callable[[], None]:
    """Does what beat and workers would."""
    from apps.campaigns.planning import plan_started_runs
    from apps.campaigns.services.running import start_due_campaigns

    def drive() -> None:
        start_due_campaigns()
        plan_started_runs(seconds=30)
        send_due_chunks(seconds=30)

    return drive


def test_a_person_reads_their_own_inbox_and_reports(person: Client) -> None:
    page = person.get("/client/inbox?limit=2").json()
    assert [item["title"] for item in page["data"]] == ["Three", "Two"]
    assert page["unread"] == 3
    first = page["data"][0]
    assert person.get(f"/client/inbox?cursor={page['next']}").json()["data"][0]["title"] == "One"
    assert post(person, "/client/inbox/read", {"ids": [first["id"]]}).json() == {"unread": 2}
    assert post(person, "/client/inbox/archive", {"ids": [first["id"]]}).json() == {"unread": 2}
    rest = person.get("/client/inbox").json()["data"]
    assert person.delete(f"/client/inbox/{rest[0]['id']}").json() == {"unread": 1}
    assert post(person, "/client/inbox/read", {"all": True}).json() == {"unread": 0}
    told = post(Client(), "/r", {"token": first["receipt"], "kind": "opened"})
    assert told.json()["counts"]["recorded"] == 1


def test_any_page_may_ask_for_a_persons_inbox(person: Client) -> None:
    asked = Client().options("/client/inbox", headers={"origin": "https://shop.example"})
    assert asked.status_code == 204
    assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]
    assert person.get("/client/inbox").headers["Access-Control-Allow-Origin"] == "*"


def test_another_persons_item_is_absent(new_application: NewApplication, person: Client) -> None:
    other = client_with(token_of(new_application, "person-0001"))
    theirs = other.get("/client/inbox").json()["data"][0]["id"]
    problem(person.delete(f"/client/inbox/{theirs}"), 404, "not_found")
    assert post(person, "/client/inbox/read", {"ids": [theirs]}).json() == {"unread": 3}
    assert other.get("/client/inbox").json()["unread"] == 3


def test_the_neighbours_person_of_the_same_name_has_another_inbox(
    sent: list[Message], other_new_application: NewApplication
) -> None:
    make_people(other_new_application.application, 1)
    neighbour = client_with(token_of(other_new_application))
    assert neighbour.get("/client/inbox").json() == {"data": [], "next": None, "unread": 0}


def test_what_is_not_a_live_token_of_ours_opens_nothing(
    new_application: NewApplication, other_new_application: NewApplication, sent: list[Message]
) -> None:
    now = int(clock.now().timestamp())
    good = token_of(new_application)
    head, payload, signature = good.split(".")
    unsigned = sign_hs256({"sub": "person-0000"}, key_id=new_application.key, secret=new_application.secret)
    refused = {
        "nothing": "",
        "rubbish": "a.b.c",
        "two parts": f"{head}.{payload}",
        "unsigned": f"{head}.{payload}.",
        "another signature": f"{head}.{payload}.{signature[::-1]}",
        "another's secret": sign_hs256(
            {"sub": "person-0000", "exp": now + 600}, key_id=new_application.key, secret=other_new_application.secret
        ),
        "unknown key": sign_hs256({"sub": "person-0000", "exp": now + 600}, key_id="nobody", secret="x"),
        "without an end": unsigned,
        "expired": token_of(new_application, exp=now - 1),
        "too long": token_of(new_application, exp=now + 25 * 3600),
        "endless": token_of(new_application, exp=float("1e300")),
        "nobody": token_of(new_application, "nobody-here"),
        "a number": token_of(new_application, 5),
        "NUL": token_of(new_application, "person-0000\0"),
    }
    for name, token in refused.items():
        answer = client_with(token).get("/client/inbox")
        assert answer.status_code == 401, name
        assert answer.json()["code"] == "subscriber_unauthenticated", name
    assert client_with(good).get("/client/inbox").status_code == 200
    assert Client().get("/client/inbox").status_code == 401


def test_a_switched_off_application_opens_nothing(
    new_application: NewApplication, application: Application, person: Client
) -> None:
    with tenant_scope(application.tenant):
        Application.objects.of(application.tenant).filter(pk=application.pk).update(is_enabled=False)
    problem(person.get("/client/inbox"), 403, "application_disabled")


def test_tokens_may_live_for_a_day(new_application: NewApplication, sent: list[Message]) -> None:
    tomorrow = int((clock.now() + timedelta(hours=23)).timestamp())
    assert client_with(token_of(new_application, exp=tomorrow)).get("/client/inbox").status_code == 200
