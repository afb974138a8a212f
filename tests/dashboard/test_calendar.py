"""The calendar of campaigns as a page and over REST."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import time_machine
from django.test import Client
from rest_framework.test import APIClient

from apps.campaigns.models import Campaign
from apps.campaigns.services import create_campaign, schedule_campaign
from apps.campaigns.services.editing import Plan
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope
from tests.dashboard.test_campaigns import marketer
from tests.sending import people

__all__ = ["marketer", "people"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def weekly(tenant: Tenant, application: Application, people: list[str]) -> str:
    schedule = {"kind": "recurring", "cron": "0 9 * * 1", "timezone": "UTC"}
    plan = Plan("Weekly news", {"all": True}, ["realtime"], content={"en": {"title": "Hi"}}, schedule=schedule)
    with tenant_scope(tenant), time_machine.travel(datetime(2026, 3, 3, tzinfo=UTC), tick=False):
        campaign = create_campaign(tenant=tenant, application=application, plan=plan)
        return schedule_campaign(tenant=tenant, campaign=campaign, send_at=None).public_id


def test_a_month_a_week_and_a_status(marketer: Client, weekly: str) -> None:
    month = marketer.get("/campaigns/calendar?on=2026-03-15").content.decode()
    assert month.count(f'href="/campaigns/{weekly}/"') == 4
    week = marketer.get("/campaigns/calendar?on=2026-03-11&view=week").content.decode()
    assert week.count(f'href="/campaigns/{weekly}/"') == 1
    assert "on=2026-03-18" in week
    assert "Nothing in this time." in marketer.get("/campaigns/calendar?on=2026-03-15&status=sent").content.decode()
    assert marketer.get("/campaigns/calendar?on=nonsense&view=&status=none").status_code == 200


def test_what_repeats_within_a_day_is_counted(marketer: Client, weekly: str, tenant: Tenant) -> None:
    with tenant_scope(tenant):
        campaign = Campaign.objects.of(tenant).get()
        campaign.changed(schedule={**campaign.schedule, "cron": "0 * * * 1"})
    week = marketer.get("/campaigns/calendar?on=2026-03-18&view=week").content.decode()
    assert "+22 more" in week


def test_the_same_over_rest(api: APIClient, weekly: str) -> None:
    found = api.get("/api/v1/campaigns/calendar?from=2026-03-09T00:00:00Z&to=2026-03-17T00:00:00Z").json()
    assert found["is_complete"] is True
    assert [(one["campaign_id"], one["at"], one["status"], one["run_id"]) for one in found["data"]] == [
        (weekly, "2026-03-09T09:00:00Z", "scheduled", ""), (weekly, "2026-03-16T09:00:00Z", "scheduled", ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "query",
    ["", "from=2026-03-09T00:00:00Z", "from=2026-03-09T00:00:00Z&to=2026-03-09T00:00:00Z",
     "from=2026-01-01T00:00:00Z&to=2026-06-01T00:00:00Z", "from=2026-03-09T00:00:00Z&to=2026-03-10T00:00:00Z&status=x"],
)  # fmt: skip
def test_a_span_that_does_not_work_is_refused(api: APIClient, query: str) -> None:
    response = api.get(f"/api/v1/campaigns/calendar?{query}")
    assert response.status_code == 400
    assert response.json()["code"] == "invalid_input"
