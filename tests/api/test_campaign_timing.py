"""Time and limits of campaigns over REST."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from rest_framework.test import APIClient

from apps.tenants.models import Application
from tests.api.helpers import problem
from tests.api.test_campaigns import draft, run
from tests.sending import Recorder, make_people, network, people

__all__ = ["network", "people"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker")]
NOON = datetime(2026, 1, 14, 12, tzinfo=UTC)


def test_a_campaign_says_its_schedule_and_limits_and_keeps_them_when_something_else_changes(
    api: APIClient, people: list[str]
) -> None:
    one = draft(
        api, schedule={"kind": "recurring", "cron": "0 9 * * MON-FRI", "timezone": "Europe/Vienna", "count": 5},
        quiet_hours={"from": "22:00", "to": "08:00"}, throttle_per_minute=1_019, frequency_cap={"count": 3, "days": 7},
        ttl=3600,
    )  # fmt: skip
    expected = {
        "schedule": {
            "kind": "recurring", "cron": "0 9 * * mon-fri", "timezone": "Europe/Vienna", "own_clock": False,
            "missed": "next_day", "until": None, "count": 5,
        },
        "quiet_hours": {"from": "22:00", "to": "08:00", "action": "hold"},
        "throttle_per_minute": 1_019,
        "frequency_cap": {"count": 3, "days": 7, "action": "skip"},
        "category": "", "ttl": 3600, "next_at": None,
    }  # fmt: skip
    assert expected.items() <= api.get(one).json().items()
    assert expected.items() <= api.patch(one, {"name": "Other"}).json().items()
    changed = api.patch(one, {"schedule": {"kind": "at"}, "quiet_hours": {"action": "ignore"}, "frequency_cap": None})
    assert changed.json()["schedule"] == {"kind": "at", "send_at": None}
    assert changed.json()["quiet_hours"] == {"action": "ignore"}
    assert changed.json()["frequency_cap"] is None


def test_a_recurring_campaign_is_scheduled_for_its_next_occurrence(api: APIClient, people: list[str]) -> None:
    with time_machine.travel(NOON, tick=False):
        one = draft(api, schedule={"kind": "recurring", "cron": "0 9 * * *", "timezone": "UTC"})
        body = api.post(f"{one}/schedule", {"send_at": None}).json()
    assert (body["status"], body["next_at"]) == ("scheduled", "2026-01-15T09:00:00Z")


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"schedule": {"kind": "recurring", "cron": "tomorrow"}}, "schedule_invalid", "schedule.cron"),
        ({"schedule": {"kind": "local_time"}}, "schedule_invalid", "schedule.local_time"),
        ({"schedule": {"kind": "never"}}, "invalid_input", "schedule"),
        ({"schedule": {"kind": "at", "hour": 3}}, "invalid_input", "schedule"),
        ({"quiet_hours": {"from": "22:00"}}, "sending_rule_invalid", "quiet_hours"),
        ({"quiet_hours": {"from": "10 pm", "to": "08:00"}}, "invalid_input", "quiet_hours"),
        ({"frequency_cap": {"count": 1}}, "invalid_input", "frequency_cap"),
        ({"category": "nothing"}, "sending_rule_invalid", "category"),
        ({"throttle_per_minute": 0}, "invalid_input", "throttle_per_minute"),
    ],
)
def test_what_cannot_work_is_refused_with_its_place(
    api: APIClient, application: Application, given: dict[str, Any], code: str, field: str
) -> None:
    plan = {"name": "C", "audience": {"all": True}, "content": {"en": {"title": "Hi"}}, **given}
    body = problem(api.post("/api/v1/campaigns", plan), 400, code)
    assert any(name.startswith(field) for name in body["errors"]), body


def test_a_moment_does_not_go_with_a_recurrence(api: APIClient, people: list[str]) -> None:
    one = draft(api, schedule={"kind": "recurring", "cron": "0 9 * * *"})
    problem(api.post(f"{one}/schedule", {"send_at": "2100-01-01T00:00:00Z"}), 400, "schedule_invalid")


def test_a_simulation_tells_the_hours_and_why_tells_one_person(
    api: APIClient, application: Application, network: Recorder
) -> None:
    make_people(application, 2, timezone="Asia/Tokyo")
    with time_machine.travel(NOON, tick=False):
        one = draft(
            api, quiet_hours={"from": "20:00", "to": "09:00"}, throttle_per_minute=1,
            audience={"external_ids": ["person-0000"]},
        )  # fmt: skip
        assert api.post(f"{one}/simulate").json()["by_hour"] == [{"hour": "2026-01-15T00:00:00Z", "sends": 1}]
        [answer] = api.get(f"{one}/why?external_id=person-0000").json()
        [outside] = api.get(f"{one}/why?external_id=person-0001").json()
    assert answer == {
        "external_id": "person-0000", "basis": "plan", "state": "planned", "reason": "",
        "due_at": "2026-01-15T00:00:00Z", "local_time": "2026-01-15T09:00:00", "timezone": "Asia/Tokyo", "route": "",
        "attempted_at": None, "is_earliest": True,
    }  # fmt: skip
    assert (outside["state"], outside["reason"], outside["due_at"]) == ("suppressed", "not_in_audience", None)
    problem(api.get(f"{one}/why?external_id=nobody"), 404, "not_found")
    problem(api.get(f"{one}/why"), 400, "invalid_input")


def test_why_is_answered_from_the_ledger_once_it_is_written(
    api: APIClient, people: list[str], network: Recorder
) -> None:
    one = draft(api)
    api.post(f"{one}/schedule", {"send_at": None})
    run()
    [answer] = api.get(f"{one}/why?external_id={people[0]}").json()
    assert (answer["basis"], answer["state"], answer["route"]) == ("ledger", "accepted", "realtime")
    assert answer["attempted_at"] is not None


def test_an_application_has_default_quiet_hours(api: APIClient, application: Application) -> None:
    where = "/api/v1/sending-defaults"
    usual = {"errors": 50, "gone": 20, "window": 600, "least": 200}
    assert api.get(where).json() == {"quiet_hours": None, "fuse": usual}
    night = {"from": "21:00", "to": "07:30", "action": "drop"}
    assert api.put(where, {"quiet_hours": night}).json()["quiet_hours"] == night
    assert api.get(where).json()["quiet_hours"] == night
    problem(api.put(where, {"quiet_hours": {"action": "ignore"}}), 400, "sending_rule_invalid")
    assert api.put(where, {"quiet_hours": None}).json()["quiet_hours"] is None


def test_the_fuse_is_set_in_part_kept_and_put_back(api: APIClient, application: Application) -> None:
    where = "/api/v1/sending-defaults"
    own = {"errors": 50, "gone": 20, "window": 120, "least": 40}
    assert api.put(where, {"quiet_hours": None, "fuse": {"window": 120, "least": 40}}).json()["fuse"] == own
    problem(api.put(where, {"quiet_hours": None, "fuse": {"window": 59}}), 400, "invalid_input")
    problem(api.put(where, {"quiet_hours": None, "fuse": {"seconds": 60}}), 400, "invalid_input")
    assert api.put(where, {"quiet_hours": None}).json()["fuse"] == own
    usual = {"errors": 50, "gone": 20, "window": 600, "least": 200}
    assert api.put(where, {"quiet_hours": None, "fuse": None}).json()["fuse"] == usual
