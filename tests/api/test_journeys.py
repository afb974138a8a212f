"""`/api/v1/journeys` from a draft to people on the way."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.campaigns.journeys.engine import advance_journeys
from apps.campaigns.journeys.triggers import take_events
from tests.campaigns.journeys.world import a_journey, a_send, a_wait

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker")]

JOURNEYS = "/api/v1/journeys"


def create(api: APIClient, definition: dict[str, Any]) -> str:
    answer = api.post(JOURNEYS, {"name": "Cart", "definition": definition})
    assert answer.status_code == 201, answer.json()
    return f"{JOURNEYS}/{answer.json()['id']}"


def test_an_event_leads_a_person_through_a_published_journey(api: APIClient) -> None:
    journey = create(api, a_journey(a_send("s", "w"), a_wait(3600, None)))
    assert api.post(f"{journey}/publish").json()["status"] == "active"
    api.post("/api/v1/events", {"events": [{"external_id": "ann", "name": "start"}]})
    take_events()
    advance_journeys(seconds=10)
    [entry] = api.get(f"{journey}/entries").json()["data"]
    assert (entry["external_id"], entry["state"], entry["step"]) == ("ann", "active", "w")
    steps = api.get(f"{journey}/steps").json()
    assert (steps["s"]["done"], steps["w"]["waiting"]) == (1, 1)
    assert api.get(journey).json()["counts"]["active"] == 1
    assert api.get(f"{journey}/entries", {"state": "done"}).json()["data"] == []


def test_what_is_wrong_is_told_by_its_path_and_changes_nothing(api: APIClient) -> None:
    journey = create(api, a_journey(a_send()))
    answer = api.patch(journey, {"definition": a_journey(a_send(routes=["pigeon"]))})
    assert (answer.status_code, answer.json()["code"]) == (400, "journey_invalid")
    assert answer.json()["path"] == "steps[0].routes"
    assert api.get(journey).json()["definition"] == a_journey(a_send())


def test_a_journey_is_paused_resumed_and_archived(api: APIClient) -> None:
    journey = create(api, a_journey(a_send()))
    assert api.post(f"{journey}/pause").json()["code"] == "journey_wrong_state"
    states = [api.post(f"{journey}/{verb}").json()["status"] for verb in ("publish", "pause", "resume", "archive")]
    assert states == ["active", "paused", "active", "archived"]
    assert api.delete(journey).status_code == 409
    assert [version["number"] for version in api.get(f"{journey}/versions").json()["data"]] == [1]


def test_a_person_is_added_by_hand_once(api: APIClient) -> None:
    journey = create(api, a_journey(a_wait(60), a_send(), reentry={"rule": "once"}))
    api.post("/api/v1/subscribers", {"external_id": "ann"})
    api.post(f"{journey}/publish")
    answers = [api.post(f"{journey}/entries", {"external_id": "ann"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 409]
    assert answers[1].json()["code"] == "journey_entry_refused"
    assert api.post(f"{journey}/entries", {"external_id": "nobody"}).status_code == 404


def test_the_way_of_a_person_is_explained_and_nothing_is_written(api: APIClient) -> None:
    vip = {"rules": {"field": "tag", "relation": "=", "value": "vip"}}
    branch = {"id": "b", "kind": "branch", "if": vip, "then": "s", "else": None}
    journey = create(api, a_journey(a_wait(3600, "b"), branch, a_send(category="")))
    api.post("/api/v1/subscribers", {"external_id": "ann", "tags": ["vip"]})
    api.post("/api/v1/subscribers", {"external_id": "bob"})
    ways = [api.post(f"{journey}/explain", {"external_id": name}).json() for name in ("ann", "bob")]
    assert [[(step["step"], step["result"]) for step in way] for way in ways] == [
        [("w", "done"), ("b", "s"), ("s", "sent")],
        [("w", "done"), ("b", "end")],
    ]
    assert api.get(f"{journey}/entries").json()["data"] == []
