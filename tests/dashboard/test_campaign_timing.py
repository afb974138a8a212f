"""Time and limits of campaigns as a marketer meets them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from apps.audience.services.preferences import create_category
from apps.campaigns.models import Campaign
from apps.campaigns.services.rules import default_quiet_hours
from apps.dashboard.campaigns.departures import departures_of
from apps.messaging.ledger.reasons import REASON_NAMES
from apps.messaging.ledger.states import Reason
from apps.tenants.models import Application, Tenant
from apps.tenants.permissions import Role
from apps.tenants.scope import tenant_scope
from tests.dashboard.conftest import member_client
from tests.dashboard.test_campaigns import made, only, plan, send_everything
from tests.sending import Recorder, make_people, network, people

__all__ = ["network", "people"]

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 1, 14, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def marketer(tenant: Tenant, application: Application) -> Client:
    return member_client(tenant, Role.MARKETER)


def again(client: Client, where: str) -> dict[str, Any]:
    """What the editor shows of a draft, as it would be posted again unchanged."""
    form = client.get(f"{where}edit").context["timing"]
    shown = {name: form[name].value() for name in form.fields}
    return {name: "on" if value is True else value for name, value in shown.items() if value not in (None, "", False)}


@pytest.mark.parametrize(
    ("given", "cron"),
    [
        ({"every": "day", "at": "09:30"}, "30 9 * * *"),
        ({"every": "weekdays", "at": "18:00"}, "0 18 * * 1-5"),
        ({"every": "week", "weekday": "0", "at": "08:00"}, "0 8 * * 0"),
        ({"every": "month", "month_day": "31", "at": "08:00"}, "0 8 31 * *"),
        ({"every": "rule", "cron": "0 9 1 * 5"}, "0 9 1 * 5"),
        ({"every": "rule", "cron": "0 9,18 * * mon"}, "0 9,18 * * mon"),
    ],
)
def test_a_recurrence_is_said_in_words_and_survives_editing(
    marketer: Client, tenant: Tenant, given: dict[str, str], cron: str
) -> None:
    where = made(marketer, kind="recurring", count="3", own_clock="on", timezone="Europe/Vienna", **given)
    before = only(tenant, Campaign).schedule
    assert (before["cron"], before["count"], before["own_clock"], before["timezone"]) == (
        cron,
        3,
        True,
        "Europe/Vienna",
    )
    marketer.post(f"{where}edit", plan(**again(marketer, where)))
    assert only(tenant, Campaign).schedule == before


def test_all_limits_are_kept_and_shown_again(marketer: Client, tenant: Tenant, application: Application) -> None:
    with tenant_scope(tenant):
        create_category(tenant=tenant, application=application, key="news", names={"en": "The news"})
    where = made(
        marketer, kind="local_time", local_time="2030-05-20T09:00", missed="skip", category="news", quiet="own",
        quiet_from="22:30", quiet_to="07:00", quiet_action="drop", throttle_per_minute="500", cap_count="2",
        cap_days="7", cap_action="defer", ttl_count="90", ttl_unit="60",
    )  # fmt: skip

    def kept() -> tuple[Any, ...]:
        draft = only(tenant, Campaign)
        return (
            draft.schedule, draft.category, draft.quiet_hours, draft.throttle_per_minute, draft.frequency_cap, draft.ttl
        )  # fmt: skip

    before = kept()
    assert before == (
        {"kind": "local_time", "local_time": "2030-05-20T09:00:00", "missed": "skip", "timezone": "UTC"}, "news",
        {"from": "22:30", "to": "07:00", "action": "drop"}, 500, {"count": 2, "days": 7, "action": "defer"}, 5400,
    )  # fmt: skip
    assert "The news" in marketer.get(f"{where}edit").content.decode()
    marketer.post(f"{where}edit", plan(**again(marketer, where)))
    assert kept() == before


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"kind": "local_time"}, "local_time"),
        ({"kind": "recurring", "every": "rule", "cron": "soon"}, "cron"),
        ({"quiet": "own", "quiet_from": "22:00", "quiet_to": "22:00"}, "quiet_from"),
        ({"cap_count": "3"}, "cap_days"),
        ({"throttle_per_minute": "0"}, "throttle_per_minute"),
        ({"category": "nothing"}, "category"),
    ],
)
def test_what_cannot_work_is_said_beside_its_field(marketer: Client, given: dict[str, str], field: str) -> None:
    response = marketer.post("/campaigns/new", plan(**given))
    assert response.status_code == 200
    assert list(response.context["timing"].errors) == [field]


def test_the_next_five_occurrences_are_shown_while_the_rule_is_chosen(marketer: Client) -> None:
    asked = {"kind": "recurring", "every": "weekdays", "at": "09:00", "timezone": "Europe/Vienna"}
    html = marketer.post("/campaigns/occurrences", asked).content.decode()
    wrong = marketer.post("/campaigns/occurrences", {"kind": "recurring", "every": "rule", "cron": "x"})
    once = marketer.post("/campaigns/occurrences", {"kind": "at"}).content.decode()
    assert html.count("<li>") == 5
    assert "Friday" in html
    assert not {"Saturday", "Sunday"} & set(html.replace(",", " ").replace(">", " ").split())
    assert "five fields" in wrong.content.decode()
    assert "<li>" not in once


def test_a_review_shows_when_messages_leave_and_starts_a_recurrence(
    marketer: Client, tenant: Tenant, people: list[str]
) -> None:
    where = made(marketer, kind="recurring", every="day", at="09:00", timezone="UTC")
    html = marketer.get(where).content.decode()
    assert 'aria-label="When they leave. 3 messages."' in html
    assert 'name="send_at"' not in html  # the schedule says it
    response = marketer.post(f"{where}schedule", {"when": "now"})
    assert response.status_code == 302
    campaign = only(tenant, Campaign)
    assert (campaign.status, campaign.next_at.hour, campaign.next_at.minute) == ("scheduled", 9, 0)
    assert "Next start" in marketer.get(where).content.decode()


def test_departures_are_gathered_into_at_most_48_bars() -> None:
    few = departures_of({NOON: 3, NOON + 2 * HOUR: 4}, "UTC")
    assert few is not None
    assert (few.rows, few.svg.count("<rect")) == ([(NOON, 3), (NOON + 2 * HOUR, 4)], 3)
    many = departures_of({NOON + n * HOUR: 1 for n in range(500)}, "Europe/Vienna")
    assert many is not None
    assert many.svg.count("<rect") <= 48
    assert sum(count for _, count in many.rows) == 500
    assert departures_of({}, "UTC") is None


@pytest.mark.usefixtures("as_worker")
def test_one_person_is_looked_up_before_and_after(
    marketer: Client, application: Application, network: Recorder
) -> None:
    make_people(application, 2, timezone="Asia/Tokyo")
    where = made(marketer, people="ids", external_ids="person-0000")
    planned = marketer.get(f"{where}why?external_id=person-0000").content.decode()
    assert "a dry run just now" in planned
    assert "Asia/Tokyo" in planned
    assert "no longer there" in marketer.get(f"{where}why?external_id=person-0001").content.decode()
    assert "There is no such subscriber." in marketer.get(f"{where}why?external_id=nobody").content.decode()
    marketer.post(f"{where}schedule", {"when": "now"})
    send_everything()
    sent = marketer.get(f"{where}why?external_id=person-0000").content.decode()
    assert "what was planned and sent" in sent
    assert "Accepted" in sent


def test_the_reason_filter_is_a_list_of_names(marketer: Client, people: list[str], network: Recorder) -> None:
    assert set(REASON_NAMES) == set(Reason)
    where = made(marketer)
    html = marketer.get(f"{where}deliveries?reason=InvalidToken").content.decode()
    assert '<option value="quiet_hours">quiet hours</option>' in html
    assert '<option value="InvalidToken" selected>InvalidToken</option>' in html


def test_an_application_has_quiet_hours_that_its_campaigns_keep(
    owner_client: Client, tenant: Tenant, application: Application
) -> None:
    where = f"/applications/{application.public_id}"
    night = {"is_on": "on", "quiet_from": "21:00", "quiet_to": "07:30", "quiet_action": "hold"}
    assert owner_client.post(f"{where}/quiet-hours", night).status_code == 302
    with tenant_scope(tenant):
        assert default_quiet_hours(application) == {"from": "21:00", "to": "07:30", "action": "hold"}
    assert 'value="21:00"' in owner_client.get(f"{where}/settings").content.decode()
    owner_client.post(f"{where}/quiet-hours", {**night, "quiet_to": "21:00"})  # refused: nothing changes
    assert "From 21:00 to 07:30" in owner_client.get("/campaigns/new").content.decode()
    owner_client.post(f"{where}/quiet-hours", {"quiet_action": "hold"})
    with tenant_scope(tenant):
        assert default_quiet_hours(application) is None
