"""A person's inbox and receipts on their page, and recalling a campaign from every inbox."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from apps.audience.models import Subscriber
from apps.campaigns.models import Campaign
from apps.campaigns.planning import plan_started_runs
from apps.campaigns.services import create_campaign, schedule_campaign
from apps.campaigns.services.editing import Plan
from apps.campaigns.services.running import start_due_campaigns
from apps.core import clock
from apps.messaging.models import InboxItem
from apps.messaging.sending.pipeline import send_due_chunks
from apps.messaging.services import record_signed_reports
from apps.tenants.models import Application, Tenant
from apps.tenants.permissions import Role
from apps.tenants.scope import tenant_scope
from tests.dashboard.conftest import member_client
from tests.sending import Recorder, network, people

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker")]
__all__ = ["network", "people"]


@pytest.fixture
def marketer(tenant: Tenant, application: Application) -> Client:
    return member_client(tenant, Role.MARKETER)


@pytest.fixture
def sent(tenant: Tenant, application: Application, people: list[str], network: Recorder) -> Campaign:
    """A campaign that has reached three people, with a copy in their inboxes."""
    content = {"en": {"title": "For {{ subscriber.name }}"}}
    plan = Plan(
        name="Spring sale", audience={"all": True}, routes=["realtime"], content=content, follow_up={"inbox": {}}
    )
    with tenant_scope(tenant):
        campaign = create_campaign(tenant=tenant, application=application, plan=plan)
        schedule_campaign(tenant=tenant, campaign=campaign, send_at=None)
    start_due_campaigns()
    plan_started_runs(seconds=30)
    send_due_chunks(seconds=30)
    return campaign


def page_of(tenant: Tenant, application: Application, external_id: str) -> str:
    with tenant_scope(tenant):
        return f"/subscribers/{Subscriber.objects.in_application(application).named(external_id).public_id}/"


def test_a_persons_page_shows_what_reached_them(
    marketer: Client, tenant: Tenant, application: Application, sent: Campaign, network: Recorder
) -> None:
    record_signed_reports(
        reports=[{"token": network.pushes[0].receipt, "kind": "converted", "amount": "19.90", "currency": "EUR"}]
    )
    page = marketer.get(page_of(tenant, application, "person-0000")).content.decode()
    assert "For Name 0" in page
    assert "For Name 1" not in page
    assert "1 unread" in page
    assert "19.90 EUR" in page
    assert "Spring sale" in page


def test_a_page_without_either_says_where_they_come_from(
    marketer: Client, tenant: Tenant, application: Application, people: list[str]
) -> None:
    page = marketer.get(page_of(tenant, application, "person-0000")).content.decode()
    assert "The inbox is empty" in page
    assert "No receipts yet" in page


def test_a_campaign_is_recalled_from_every_inbox_by_who_may_send(
    marketer: Client, tenant: Tenant, application: Application, sent: Campaign
) -> None:
    address = f"/campaigns/{sent.public_id}/"
    assert "Recall from inboxes" in marketer.get(address).content.decode()
    analyst = member_client(tenant, Role.ANALYST)
    assert "Recall from inboxes" not in analyst.get(address).content.decode()
    assert analyst.post(f"{address}recall").status_code == 403
    assert marketer.post(f"{address}recall").status_code == 302
    with tenant_scope(tenant):
        person = Subscriber.objects.in_application(application).named("person-0000")
        assert InboxItem.objects.of(tenant).count() == 3
        assert InboxItem.objects.shown_to(person).count() == 0


def test_everything_held_about_a_person_includes_both(
    marketer: Client, tenant: Tenant, application: Application, sent: Campaign, network: Recorder
) -> None:
    at = clock.now() - timedelta(minutes=1)
    record_signed_reports(reports=[{"token": network.pushes[0].receipt, "kind": "received", "at": at.isoformat()}])
    told = marketer.post(f"{page_of(tenant, application, 'person-0000')}disclosure/").json()
    assert [receipt["kind"] for receipt in told["receipts"]] == ["received"]
    assert [item["title"] for item in told["inbox"]] == ["For Name 0"]
    other = marketer.post(f"{page_of(tenant, application, 'person-0001')}disclosure/").json()
    assert other["receipts"] == []
    assert [item["title"] for item in other["inbox"]] == ["For Name 1"]
