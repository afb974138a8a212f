"""The calendar: runs as they are, starts to come by their rule, local times where everybody has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine

from apps.campaigns.calendar import MOST_OF_ONE, Calendar, calendar_of
from apps.campaigns.models import Campaign
from apps.campaigns.services import cancel_campaign, create_campaign, pause_campaign, schedule_campaign
from apps.campaigns.services.editing import Plan
from apps.campaigns.services.running import start_due_campaigns
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope

pytestmark = pytest.mark.django_db

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=BERLIN), datetime(2026, 4, 1, tzinfo=BERLIN)


def scheduled(application: Application, send_at: datetime | None = None, **schedule: Any) -> Campaign:
    plan = Plan("C", {"all": True}, ["realtime"], content={"en": {"title": "Hi"}}, schedule=schedule)
    with tenant_scope(application.tenant):
        campaign = create_campaign(tenant=application.tenant, application=application, plan=plan)
        return schedule_campaign(tenant=application.tenant, campaign=campaign, send_at=send_at)


def look(application: Application, start: datetime, end: datetime, state: str = "") -> Calendar:
    with tenant_scope(application.tenant):
        return calendar_of(application, start, end, state=state)


def test_a_rule_comes_at_its_hour_in_its_zone_on_both_sides_of_the_clock_change(
    application: Application, people: list[str]
) -> None:
    with time_machine.travel(NOW, tick=False):
        scheduled(application, kind="recurring", cron="0 9 * * 1", timezone="Europe/Berlin")
        found = look(application, *MARCH)
    assert [entry.at for entry in found.entries] == [
        datetime(2026, 3, 9, 8, tzinfo=UTC), datetime(2026, 3, 16, 8, tzinfo=UTC),
        datetime(2026, 3, 23, 8, tzinfo=UTC), datetime(2026, 3, 30, 7, tzinfo=UTC),
    ]  # fmt: skip
    assert {entry.at.astimezone(BERLIN).hour for entry in found.entries} == {9}
    assert {entry.state for entry in found.entries} == {"scheduled"}


def test_a_count_and_an_end_are_kept(application: Application, people: list[str]) -> None:
    until = datetime(2026, 3, 6, tzinfo=UTC)
    with time_machine.travel(NOW, tick=False):
        scheduled(application, kind="recurring", cron="0 9 * * *", timezone="UTC", count=3)
        scheduled(application, kind="recurring", cron="0 10 * * *", timezone="UTC", until=until)
        found = look(application, *MARCH)
        later = look(application, MARCH[1], MARCH[1] + timedelta(days=30))
    hours = [(entry.at.hour, entry.at.day) for entry in found.entries]
    assert [day for hour, day in hours if hour == 9] == [2, 3, 4]
    assert [day for hour, day in hours if hour == 10] == [2, 3, 4, 5]
    assert later.entries == []


def test_a_time_on_everybodys_own_clock_stands_on_its_date(application: Application, people: list[str]) -> None:
    wall = datetime(2026, 3, 31, 23, 30)
    with time_machine.travel(NOW, tick=False):
        scheduled(application, kind="local_time", local_time=wall)
        [entry] = look(application, *MARCH).entries
        april = look(application, MARCH[1], MARCH[1] + timedelta(days=30))
    assert entry.wall == wall
    assert entry.on_clock(BERLIN).date().isoformat() == "2026-03-31"
    assert april.entries == []


@pytest.mark.usefixtures("as_worker")
def test_what_has_started_is_told_as_it_is(application: Application, people: list[str]) -> None:
    with time_machine.travel(NOW, tick=False):
        running = scheduled(application)
        stopped = scheduled(application)
        start_due_campaigns()
        with tenant_scope(application.tenant):
            cancel_campaign(tenant=application.tenant, campaign=stopped)
        states = {entry.campaign.pk: entry.state for entry in look(application, *MARCH).entries}
        assert states == {running.pk: "sending", stopped.pk: "cancelled"}
        with tenant_scope(application.tenant):
            pause_campaign(tenant=application.tenant, campaign=running)
        [paused] = look(application, *MARCH, "paused").entries
    assert paused.campaign == running
    assert paused.run.startswith("run_")


def test_one_campaign_cannot_crowd_out_the_others(application: Application, people: list[str]) -> None:
    with time_machine.travel(NOW, tick=False):
        scheduled(application, kind="recurring", cron="*/15 * * * *", timezone="UTC")
        last = scheduled(application, datetime(2026, 3, 31, 9, tzinfo=UTC))
        found = look(application, *MARCH)
    assert len(found.entries) == MOST_OF_ONE + 1
    assert found.entries[-1].campaign == last
