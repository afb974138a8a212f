"""Four eyes: the approval signs the plan, and only somebody else can give it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.accounts.models import User
from apps.campaigns.asking import ask_for_approval
from apps.campaigns.errors import ApprovalMissing, ApprovalOutdated, SelfApproval
from apps.campaigns.models import Campaign
from apps.campaigns.services import approving, create_campaign, schedule_campaign, update_campaign
from apps.campaigns.services.editing import Plan
from apps.campaigns.services.running import start_due_campaigns
from apps.core import clock
from apps.tenants.models import Application, AuditEntry
from apps.tenants.scope import tenant_scope

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker")]

PLAN = {"name": "Spring", "audience": {"all": True}, "routes": ["realtime"], "content": {"en": {"title": "Hi"}}}


@pytest.fixture
def campaign(application: Application, people: list[str]) -> Campaign:
    with tenant_scope(application.tenant):
        approving.set_needs_approval(tenant=application.tenant, application=application, needed=True, actor="x")
        return create_campaign(tenant=application.tenant, application=application, plan=Plan(**PLAN))  # type: ignore[arg-type]


def approve(campaign: Campaign, asker: User, approver: User) -> None:
    tenant = campaign.tenant
    asked = ask_for_approval(tenant=tenant, subject=campaign, actor="x", asked_by=asker)
    approving.decide_approval(tenant=tenant, subject=campaign, user=approver, approves=True, seen=asked.hash)


def test_nothing_is_scheduled_before_somebody_else_approved(campaign: Campaign, owner: User, other_owner: User) -> None:
    tenant = campaign.tenant
    with tenant_scope(tenant), pytest.raises(ApprovalMissing):
        schedule_campaign(tenant=tenant, campaign=campaign, send_at=clock.now() + timedelta(hours=1))
    with tenant_scope(tenant):
        with pytest.raises(SelfApproval):
            approve(campaign, owner, owner)
        approve(campaign, owner, other_owner)
        scheduled = schedule_campaign(tenant=tenant, campaign=campaign, send_at=clock.now() + timedelta(hours=1))
        assert scheduled.status == "scheduled"
        actions = AuditEntry.objects.of(tenant).values_list("action", flat=True)
        assert {"campaign.approval_asked", "campaign.approved", "application.approval_changed"} <= set(actions)


def test_a_change_voids_the_approval_and_is_shown(campaign: Campaign, owner: User, other_owner: User) -> None:
    with tenant_scope(campaign.tenant):
        approve(campaign, owner, other_owner)
        assert approving.changes_since_approval(campaign) == []
        plan = Plan(**{**PLAN, "content": {"en": {"title": "Other"}}})  # type: ignore[arg-type]
        changed = update_campaign(tenant=campaign.tenant, campaign=campaign, plan=plan)
        assert not approving.is_approved(changed)
        assert [(one.name, one.after) for one in approving.changes_since_approval(changed)] == [
            ("content", {"en": {"title": "Other"}})
        ]


def test_who_saw_another_plan_cannot_approve_this_one(campaign: Campaign, owner: User, other_owner: User) -> None:
    tenant = campaign.tenant
    with tenant_scope(tenant):
        asked = ask_for_approval(tenant=tenant, subject=campaign, actor="x", asked_by=owner)
        update_campaign(tenant=tenant, campaign=campaign, plan=Plan(**{**PLAN, "name": "Else"}))  # type: ignore[arg-type]
        with pytest.raises(ApprovalOutdated):
            approving.decide_approval(
                tenant=tenant, subject=campaign.refreshed(), user=other_owner, approves=True, seen=asked.hash
            )


def test_what_changed_after_it_was_scheduled_waits_at_its_time(
    campaign: Campaign, owner: User, other_owner: User
) -> None:
    tenant = campaign.tenant
    with tenant_scope(tenant):
        approve(campaign, owner, other_owner)
        schedule_campaign(tenant=tenant, campaign=campaign, send_at=clock.now() + timedelta(hours=1))
        update_campaign(tenant=tenant, campaign=campaign, plan=Plan(**{**PLAN, "name": "Else"}))  # type: ignore[arg-type]
        Campaign.objects.of(tenant).update(next_at=clock.now())
    assert start_due_campaigns() == 0
    with tenant_scope(tenant):
        assert (campaign.refreshed().status, campaign.paused_for) == ("paused", "not_approved")
