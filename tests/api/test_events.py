"""`/api/v1/events` and `/api/v1/subscribers/{id}/events`."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from tests.api.helpers import problem

pytestmark = pytest.mark.django_db


def test_one_event_and_a_batch_are_recorded_and_read_back(api: APIClient, other_api: APIClient) -> None:
    one = api.post("/api/v1/events", {"external_id": "ada", "name": "opened", "id": "1"})
    many = api.post(
        "/api/v1/events",
        {
            "events": [
                {"external_id": "ada", "name": "opened", "id": "1"},
                {"external_id": "ada", "name": "bought", "properties": {"price": 9.5}},
                {"external_id": "ada"},
            ]
        },
    )

    assert one.json()["results"][0]["status"] == "recorded"
    assert many.json()["counts"] == {"recorded": 1, "duplicate": 1, "rejected": 1}
    refused = many.json()["results"][2]
    assert (refused["code"], refused["field"]) == ("event_name_invalid", "name")
    first = api.get("/api/v1/subscribers/ada/events", {"limit": 1}).json()
    second = api.get("/api/v1/subscribers/ada/events", {"limit": 1, "cursor": first["next"]}).json()
    assert [page["data"][0]["name"] for page in (first, second)] == ["bought", "opened"]
    assert (first["data"][0]["properties"], second["next"]) == ({"price": 9.5}, None)
    problem(other_api.get("/api/v1/subscribers/ada/events"), 404, "not_found")


def test_a_bad_event_alone_is_an_error_and_so_is_a_bad_cursor(api: APIClient) -> None:
    assert problem(api.post("/api/v1/events", {"external_id": "ada"}), 400, "event_invalid")["problem"] == (
        "event_name_invalid"
    )
    problem(api.post("/api/v1/events", []), 400, "event_invalid")
    problem(api.post("/api/v1/events", {"events": [{}] * 1_001}), 413, "events_batch_too_large")
    api.post("/api/v1/events", {"external_id": "ada", "name": "opened"})
    assert api.get("/api/v1/subscribers/ada/events", {"cursor": "nonsense"}).status_code == 400
