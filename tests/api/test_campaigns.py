"""`/api/v1/campaigns` and `/api/v1/messages`, as a script sees them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from apps.billing.services import reserve, set_plan
from apps.campaigns import planning
from apps.campaigns.services.running import finish_ended_campaigns, start_due_campaigns
from apps.core import clock
from apps.messaging import upkeep
from apps.messaging.sending.pipeline import send_due_chunks
from apps.providers.base import Outcome, Result, Scope
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope
from tests.api.helpers import problem
from tests.sending import Recorder, make_people, network, people

__all__ = ["network", "people"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker")]
URL, MESSAGES = "/api/v1/campaigns", "/api/v1/messages"
CONTENT = {"en": {"title": "Hi {{ subscriber.name }}", "body": "News"}}
PLAN: dict[str, Any] = {"name": "Spring", "audience": {"all": True}, "routes": ["realtime"], "content": CONTENT}


def draft(api: APIClient, **given: Any) -> str:
    answer = api.post(URL, {**PLAN, **given})
    assert answer.status_code == 201, answer.json()
    return f"{URL}/{answer.json()['id']}"


def run() -> None:
    start_due_campaigns()
    planning.plan_started_runs(seconds=30)
    send_due_chunks(seconds=30)
    upkeep.end_messages()
    finish_ended_campaigns()


def test_a_campaign_for_now_is_sent_and_counted(api: APIClient, people: list[str], network: Recorder) -> None:
    one = draft(api)
    assert api.get(one).json()["status"] == "draft"
    assert api.post(f"{one}/schedule", {"send_at": None}).json()["status"] == "scheduled"
    run()
    body = api.get(one).json()
    assert body["status"] == "sent"
    assert body["counts"] == {
        "planned": 3, "suppressed": 0, "attempted": 3, "accepted": 3, "failed": 0, "unknown": 0,
        "received": 0, "opened": 0, "clicked": 0, "dismissed": 0, "converted": 0, "revenue": {},
    }  # fmt: skip


def test_deliveries_say_what_became_of_each_person(api: APIClient, people: list[str], network: Recorder) -> None:
    network.answer = lambda push: (
        Outcome(push.id, Result.ACCEPTED)
        if push.recipient == "person-0001"
        else Outcome(push.id, Result.REJECTED, Scope.DEVICE, "not_connected")
    )
    one = draft(api)
    assert api.get(f"{one}/deliveries").json() == {"data": [], "next": None}
    api.post(f"{one}/schedule", {"send_at": None})
    run()
    rows = api.get(f"{one}/deliveries").json()["data"]
    assert [(row["external_id"], row["state"], row["reason"]) for row in rows] == [
        ("person-0002", "rejected", "not_connected"), ("person-0001", "accepted", ""),
        ("person-0000", "rejected", "not_connected"),
    ]  # fmt: skip
    assert [row["external_id"] for row in api.get(f"{one}/deliveries?state=accepted").json()["data"]] == ["person-0001"]
    assert len(api.get(f"{one}/deliveries?external_id=person-0002").json()["data"]) == 1
    assert api.get(f"{one}/deliveries?external_id=nobody").json()["data"] == []
    problem(api.get(f"{one}/deliveries?state=lost"), 400, "invalid_input")


def test_pause_resume_cancel_and_their_wrong_moments(api: APIClient, people: list[str], network: Recorder) -> None:
    one = draft(api)
    body = problem(api.post(f"{one}/pause"), 409, "campaign_wrong_state")
    assert body["status"] == 409
    api.post(f"{one}/schedule", {"send_at": None})
    start_due_campaigns()
    assert api.post(f"{one}/pause").json()["status"] == "paused"
    assert api.post(f"{one}/resume").json()["status"] == "sending"
    assert api.post(f"{one}/cancel").json()["status"] == "cancelled"
    problem(api.post(f"{one}/cancel"), 409, "campaign_wrong_state")
    run()
    assert network.pushes == []


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"audience": {"segment_id": "seg_0000000000000000000000"}}, "audience_invalid"),
        ({"audience": {}}, "audience_invalid"),
        ({"routes": ["pigeon"]}, "unknown_provider"),
        ({"routes": ["realtime", "realtime"]}, "route_missing"),
        ({"content": {"en": {"title": "{{ subscriber.x"}}}, "template_invalid"),
        ({"content": None}, "content_missing"),
        ({"name": "x" * 10_000}, "invalid_input"),
        ({"ttl": 0}, "invalid_input"),
        ({"surprise": 1}, "invalid_input"),
    ],
)
def test_a_plan_that_cannot_work_is_refused(api: APIClient, given: dict[str, Any], code: str) -> None:
    problem(api.post(URL, {**PLAN, **given}), 400, code)
    assert api.get(URL).json()["data"] == []


def test_scheduling_refuses_the_past_nobody_and_unknown_variables(api: APIClient, people: list[str]) -> None:
    past = (clock.now() - timedelta(hours=1)).isoformat()
    problem(api.post(f"{draft(api)}/schedule", {"send_at": past}), 400, "schedule_in_past")
    problem(api.post(f"{draft(api)}/schedule", {"send_at": "tomorrow"}), 400, "invalid_input")
    problem(api.post(f"{draft(api)}/schedule", {}), 400, "invalid_input")
    empty = draft(api, audience={"external_ids": ["nobody"]})
    problem(api.post(f"{empty}/schedule", {"send_at": None}), 400, "empty_audience")
    typo = draft(api, content={"en": {"title": "{{ subscriber.nmae }}"}})
    [fault] = problem(api.post(f"{typo}/schedule", {"send_at": None}), 400, "unknown_variable")["faults"]
    assert (fault["field"], fault["line"], fault["column"]) == ("title", 1, 3)


def test_a_draft_is_changed_and_takes_a_templates_words(api: APIClient, people: list[str]) -> None:
    template = api.post("/api/v1/templates", {"name": "T", "content": CONTENT}).json()["id"]
    one = draft(api)
    changed = api.patch(one, {"template_id": template, "name": "Summer"}).json()
    assert (changed["name"], changed["template_id"], changed["content"]) == ("Summer", template, None)
    assert changed["audience"] == {"all": True}
    assert api.delete(one).status_code == 204


def test_simulate_and_preview_show_what_would_be_sent(api: APIClient, people: list[str]) -> None:
    one = draft(api)
    body = api.post(f"{one}/simulate").json()
    assert (body["audience"], body["sends"], body["planned"], body["is_exact"]) == (3, 3, {"en": 3}, True)
    assert body["samples"][0]["notification"]["title"] == "Hi Name 0"
    shown = api.post(f"{one}/preview", {"external_id": "person-0002"}).json()
    assert shown["notification"]["title"] == "Hi Name 2"
    problem(api.post(f"{one}/preview", {"external_id": "nobody"}), 404, "not_found")


def test_the_price_is_shown_before_sending_and_a_campaign_beyond_the_cap_is_refused(
    api: APIClient, people: list[str], tenant: Tenant
) -> None:
    begin = clock.now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    with time_machine.travel(begin, tick=False), tenant_scope(tenant):
        set_plan(tenant=tenant, code="pay-as-you-go")  # from the start of the cycle, so that all is included
    with tenant_scope(tenant):
        reserve(tenant=tenant, holder="chunk:1", wanted={"campaign.sends": 100_000})  # what is included
    one = draft(api)
    price = {"currency": "EUR", "amount": "0.00", "spent": "0.00", "cap": None, "fits": True}
    assert api.post(f"{one}/simulate").json()["price"] == price
    api.put("/api/v1/usage/limits", {"meters": {}, "spend_cap": "0"})
    assert api.post(f"{one}/simulate").json()["price"] == {**price, "cap": "0.00", "fits": False}
    problem(api.post(f"{one}/schedule", {"send_at": None}), 402, "spend_cap_reached")
    assert api.get(one).json()["status"] == "draft"


def test_another_tenants_campaign_is_not_there(api: APIClient, other_api: APIClient, people: list[str]) -> None:
    one = draft(api)
    assert api.get(one).status_code == 200
    problem(other_api.get(one), 404, "not_found")
    for verb in ("schedule", "pause", "resume", "cancel", "simulate", "preview"):
        body = {"schedule": {"send_at": None}, "preview": {"external_id": "person-0000"}}.get(verb, {})
        problem(other_api.post(f"{one}/{verb}", body), 404, "not_found")
    problem(other_api.get(f"{one}/deliveries"), 404, "not_found")
    assert api.get(one).json()["status"] == "draft"


@pytest.mark.parametrize("count", [1, 3])
def test_a_list_costs_the_same_however_long(
    api: APIClient,
    people: list[str],
    network: Recorder,
    count: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(count):
        api.post(f"{draft(api)}/schedule", {"send_at": None})
    run()
    with django_assert_num_queries(14):
        rows = api.get(URL).json()["data"]
    assert [row["counts"]["accepted"] for row in rows] == [3] * count


def test_a_message_is_accepted_sent_and_told(api: APIClient, people: list[str], network: Recorder) -> None:
    words = {"en": {"title": "{{ variables.code }}", "body": "for {{ subscriber.name }}"}}
    answer = api.post(MESSAGES, {"external_ids": ["person-0001"], "content": words, "variables": {"code": "4711"}})
    assert answer.status_code == 202
    run()
    [push] = network.pushes
    assert (push.recipient, push.notification.title, push.notification.body) == ("person-0001", "4711", "for Name 1")
    one = f"{MESSAGES}/{answer.json()['id']}"
    body = api.get(one).json()
    assert body["counts"]["accepted"] == 1
    assert body["ended_at"] is not None
    assert api.get(f"{one}/deliveries").json()["data"][0]["state"] == "accepted"


def test_a_repeated_message_is_sent_once(api: APIClient, people: list[str], network: Recorder) -> None:
    body = {"external_ids": ["person-0001"], "content": CONTENT}
    answers = [api.post(MESSAGES, body, headers={"Idempotency-Key": "order-1"}) for _ in range(2)]
    run()
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert len(network.pushes) == 1


def test_a_message_to_somebody_unknown_is_refused_whole(
    api: APIClient, application: Application, network: Recorder
) -> None:
    make_people(application, 1)
    body = problem(
        api.post(MESSAGES, {"external_ids": ["person-0000", "ghost"], "content": CONTENT}), 400, "unknown_subscribers"
    )
    assert body["external_ids"] == ["ghost"]
    run()
    assert network.pushes == []


def test_another_tenants_message_is_not_there(api: APIClient, other_api: APIClient, people: list[str]) -> None:
    sent = api.post(MESSAGES, {"external_ids": ["person-0001"], "content": CONTENT}).json()["id"]
    problem(other_api.get(f"{MESSAGES}/{sent}"), 404, "not_found")
    problem(other_api.get(f"{MESSAGES}/{sent}/deliveries"), 404, "not_found")
    problem(other_api.post(MESSAGES, {"external_ids": ["person-0001"], "content": CONTENT}), 400, "unknown_subscribers")
