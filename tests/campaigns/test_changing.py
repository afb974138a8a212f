"""Changing what is scheduled or recurs, by one author or two at once; and the fuse of a run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from apps.accounts.models import OutgoingMail
from apps.campaigns import planning
from apps.campaigns.errors import (
    CampaignChanged,
    CampaignWrongState,
    EmptyAudience,
    ResumeUnconfirmed,
    ScheduleInPast,
    ScheduleInvalid,
    SendingRuleInvalid,
)
from apps.campaigns.models import Campaign, CampaignRun
from apps.campaigns.services import create_campaign, resume_campaign, schedule_campaign, set_fuse, update_campaign
from apps.campaigns.services.editing import Plan
from apps.campaigns.services.fuses import pause_blown_campaigns
from apps.campaigns.services.running import start_due_campaigns
from apps.core import clock
from apps.core.errors import HouseError
from apps.messaging.errors import HandlingInvalid
from apps.messaging.models import Message
from apps.messaging.sending.pipeline import send_due_chunks
from apps.providers.base import Outcome, Result, Scope
from apps.tenants.models import Application, AuditEntry
from apps.tenants.scope import tenant_scope
from tests.sending import Recorder, make_people

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker", "clean_valkey")]

PLAN = {"name": "Spring", "audience": {"all": True}, "routes": ["realtime"], "content": {"en": {"title": "Old"}}}
DAILY = {"kind": "recurring", "cron": "0 9 * * *", "timezone": "UTC"}


@pytest.fixture
def scheduled(application: Application, people: list[str]) -> Callable[..., Campaign]:
    def make(send_at: datetime | None = None, **given: object) -> Campaign:
        with tenant_scope(application.tenant):
            plan = Plan(**{**PLAN, **given})  # type: ignore[arg-type]
            campaign = create_campaign(tenant=application.tenant, application=application, plan=plan)
            return schedule_campaign(tenant=application.tenant, campaign=campaign, send_at=send_at)

    return make


def change(campaign: Campaign, version: int | None = None, **given: object) -> Campaign:
    with tenant_scope(campaign.tenant):
        plan = Plan(**{**PLAN, "content": {"en": {"title": "New"}}, **given})  # type: ignore[arg-type]
        return update_campaign(tenant=campaign.tenant, campaign=campaign, plan=plan, version=version)


def deliver() -> None:
    start_due_campaigns()
    planning.plan_started_runs(seconds=30)
    send_due_chunks(seconds=30)


def test_a_scheduled_campaign_is_changed_and_keeps_its_time(
    scheduled: Callable[..., Campaign], network: Recorder
) -> None:
    at = clock.now() + timedelta(hours=1)
    campaign = change(scheduled(at))
    assert (campaign.status, campaign.next_at, campaign.send_at) == ("scheduled", at, at)
    with tenant_scope(campaign.tenant):
        Campaign.objects.of(campaign.tenant_id).update(next_at=clock.now())
    deliver()
    assert {push.notification.title for push in network.pushes} == {"New"}


def test_a_new_time_moves_it(scheduled: Callable[..., Campaign]) -> None:
    later = clock.now() + timedelta(hours=5)
    campaign = change(scheduled(clock.now() + timedelta(hours=1)), schedule={"kind": "at", "send_at": later})
    assert (campaign.next_at, campaign.send_at) == (later, later)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"schedule": {"kind": "at", "send_at": datetime(2020, 1, 1, tzinfo=UTC)}}, ScheduleInPast),
        ({"audience": {"external_ids": ["nobody"]}}, EmptyAudience),
        ({"fallback_after": 0}, HandlingInvalid),
    ],
)
def test_what_could_not_be_sent_is_refused_and_changes_nothing(
    scheduled: Callable[..., Campaign], given: dict[str, object], error: type[HouseError]
) -> None:
    campaign = scheduled(clock.now() + timedelta(hours=1))
    with pytest.raises(error):
        change(campaign, **given)
    with tenant_scope(campaign.tenant):
        now = campaign.refreshed()
        assert (now.content, now.version, now.next_at) == ({"en": {"title": "Old"}}, 1, campaign.next_at)


def test_the_second_of_two_editors_is_told(scheduled: Callable[..., Campaign]) -> None:
    campaign = scheduled(clock.now() + timedelta(hours=1))
    assert change(campaign, version=1).version == 2
    with pytest.raises(CampaignChanged) as refused:
        change(campaign, version=1, name="Other")
    assert refused.value.details == {"version": 2}
    assert change(campaign, version=2).version == 3


def test_what_is_being_sent_once_does_not_change(scheduled: Callable[..., Campaign]) -> None:
    campaign = scheduled()
    start_due_campaigns()
    with pytest.raises(CampaignWrongState):
        change(campaign)


def test_a_recurring_campaign_changes_from_its_next_time_on(
    scheduled: Callable[..., Campaign], network: Recorder
) -> None:
    campaign = scheduled(schedule=DAILY)
    first = campaign.next_at
    with tenant_scope(campaign.tenant):
        Campaign.objects.of(campaign.tenant_id).update(next_at=clock.now() - timedelta(seconds=1))
    start_due_campaigns()
    changed = change(campaign, schedule={**DAILY, "cron": "30 9 * * *"})
    assert changed.status == "sending"
    assert first is not None
    assert changed.next_at is not None
    assert changed.next_at.minute == 30
    planning.plan_started_runs(seconds=30)
    send_due_chunks(seconds=30)
    assert {push.notification.title for push in network.pushes} == {"Old"}
    with tenant_scope(campaign.tenant):
        Campaign.objects.of(campaign.tenant_id).update(next_at=clock.now())
    deliver()
    assert [push.notification.title for push in network.pushes[3:]] == ["New"] * 3


def test_a_recurrence_that_has_begun_stays_one(scheduled: Callable[..., Campaign]) -> None:
    campaign = scheduled(schedule=DAILY)
    with tenant_scope(campaign.tenant):
        Campaign.objects.of(campaign.tenant_id).update(next_at=clock.now())
    start_due_campaigns()
    with pytest.raises(ScheduleInvalid):
        change(campaign, schedule={"kind": "at"})


def blown(
    application: Application, scheduled: Callable[..., Campaign], network: Recorder, outcome: Outcome
) -> Campaign:
    """A run of 60, a slice of 20 at a time, whose pushes all get this outcome; the fuse needs 30."""
    make_people(application, 60)
    with tenant_scope(application.tenant):
        set_fuse(tenant=application.tenant, application=application, fuse={"least": 30})
    network.answer = lambda push: Outcome(push.id, outcome.result, outcome.scope, outcome.reason)
    campaign = scheduled()
    deliver()
    return campaign


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome("", Result.UNREGISTERED, Scope.DEVICE, "gone"), "tokens_gone"),
        (Outcome("", Result.REJECTED, Scope.MESSAGE, "bad"), "error_rate"),
    ],
)
def test_a_run_that_goes_wrong_stands_still_and_its_owner_is_told(
    application: Application, scheduled: Callable[..., Campaign], network: Recorder, monkeypatch: pytest.MonkeyPatch,
    outcome: Outcome, reason: str,
) -> None:  # fmt: skip
    monkeypatch.setattr("apps.messaging.sending.slices.SLICE", 20)
    campaign = blown(application, scheduled, network, outcome)
    assert len(network.pushes) == 40  # two slices: 20 are too few to conclude anything
    assert (pause_blown_campaigns(), pause_blown_campaigns()) == (1, 0)
    with tenant_scope(application.tenant):
        assert (campaign.refreshed().status, campaign.paused_for) == ("paused", reason)
        assert AuditEntry.objects.of(application.tenant_id).filter(action="campaign.paused").count() == 1
    assert OutgoingMail.objects.filter(kind="campaign_paused").count() == 1

    with tenant_scope(application.tenant):
        with pytest.raises(ResumeUnconfirmed):
            resume_campaign(tenant=application.tenant, campaign=campaign)
        network.answer = lambda push: Outcome(push.id, Result.ACCEPTED)
        resumed = resume_campaign(tenant=application.tenant, campaign=campaign, confirm=True)
        assert (resumed.status, resumed.paused_for) == ("sending", "")
    send_due_chunks(seconds=30)
    assert len(network.pushes) == 60
    assert pause_blown_campaigns() == 0


def test_who_is_not_connected_is_no_error(
    application: Application, scheduled: Callable[..., Campaign], network: Recorder
) -> None:
    blown(application, scheduled, network, Outcome("", Result.REJECTED, Scope.DEVICE, "not_connected"))
    assert pause_blown_campaigns() == 0
    assert len(network.pushes) == 60


@pytest.mark.parametrize("fuse", [{"errors": 0}, {"window": 1}, {"least": True}, {"colour": 3}])
def test_a_fuse_that_cannot_be_is_refused(application: Application, fuse: dict[str, object]) -> None:
    with tenant_scope(application.tenant), pytest.raises(SendingRuleInvalid):
        set_fuse(tenant=application.tenant, application=application, fuse=fuse)


def test_a_run_keeps_the_fuse_it_began_with(application: Application, scheduled: Callable[..., Campaign]) -> None:
    with tenant_scope(application.tenant):
        set_fuse(tenant=application.tenant, application=application, fuse={"errors": 7})
    scheduled()
    start_due_campaigns()
    with tenant_scope(application.tenant):
        set_fuse(tenant=application.tenant, application=application, fuse=None)
        message = Message.objects.of(application.tenant_id).get()
        assert CampaignRun.objects.of(application.tenant_id).count() == 1
        assert message.fuse is not None
        assert message.fuse["errors"] == 7
