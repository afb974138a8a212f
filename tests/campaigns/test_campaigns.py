"""The life of a campaign, from draft to sent, as the services tell it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection

from apps.audience.errors import AudienceInvalid
from apps.audience.models import Subscriber
from apps.audience.services.preferences import set_preferences
from apps.billing.errors import QuotaExceeded
from apps.billing.services import current_period
from apps.campaigns import planning
from apps.campaigns.errors import CampaignWrongState, EmptyAudience, ScheduleInPast, ScheduleTooFar
from apps.campaigns.models import Campaign, CampaignRun
from apps.campaigns.queries import counts_of_campaigns
from apps.campaigns.services import (
    cancel_campaign,
    create_campaign,
    delete_campaign,
    duplicate_campaign,
    pause_campaign,
    resume_campaign,
    schedule_campaign,
    send_test,
)
from apps.campaigns.services.editing import Plan
from apps.campaigns.services.running import finish_ended_campaigns, start_due_campaigns
from apps.campaigns.simulation import simulate_campaign
from apps.core import clock
from apps.core.errors import HouseError, InvalidInput
from apps.messaging import upkeep
from apps.messaging.errors import ContentMissing, RouteMissing, TemplateInvalid, UnknownVariable
from apps.messaging.ledger.states import Counts
from apps.messaging.models import Delivery, Message
from apps.messaging.queries import differences
from apps.messaging.sending.pipeline import send_due_chunks
from apps.messaging.sending.strategies import Strategy
from apps.messaging.services import create_template, delete_template
from apps.providers.errors import UnknownProvider
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope
from tests.sending import Recorder, make_people

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker")]

CONTENT = {"en": {"title": "Hi {{ subscriber.name }}", "body": "News"}, "zh-Hans": {"title": "你好", "body": ""}}
PLAN = {"name": "Spring", "audience": {"all": True}, "routes": ["realtime"], "content": CONTENT}


@pytest.fixture
def make(application: Application, people: list[str]) -> Callable[..., Campaign]:
    def make(**given: object) -> Campaign:
        with tenant_scope(application.tenant):
            plan = Plan(**{**PLAN, **given})  # type: ignore[arg-type]
            return create_campaign(tenant=application.tenant, application=application, plan=plan)

    return make


@pytest.fixture
def start(make: Callable[..., Campaign]) -> Callable[..., Campaign]:
    """A campaign that is due and has been started."""

    def start(**given: object) -> Campaign:
        campaign = make(**given)
        schedule(campaign)
        assert start_due_campaigns() == 1
        return campaign

    return start


def schedule(campaign: Campaign, *, in_seconds: float | None = None) -> Campaign:
    send_at = None if in_seconds is None else clock.now() + timedelta(seconds=in_seconds)
    with tenant_scope(campaign.tenant_id):
        return schedule_campaign(tenant=campaign.tenant, campaign=campaign, send_at=send_at)


def run_to_the_end() -> None:
    assert planning.plan_started_runs(seconds=30) is False
    assert send_due_chunks(seconds=30) is False
    upkeep.end_messages()
    finish_ended_campaigns()


def status(campaign: Campaign) -> str:
    with tenant_scope(campaign.tenant_id):
        return campaign.refreshed().status


def counts(campaign: Campaign) -> Counts:
    with tenant_scope(campaign.tenant_id):
        for message in Message.objects.of(campaign.tenant_id):
            assert differences(message) == {}
        return counts_of_campaigns([campaign])[campaign.pk]


def test_a_campaign_for_now_reaches_everybody_once_and_is_sent(
    start: Callable[..., Campaign], network: Recorder, people: list[str]
) -> None:
    campaign = start()
    assert status(campaign) == "sending"
    run_to_the_end()
    assert status(campaign) == "sent"
    assert network.recipients == people
    assert {push.campaign_id for push in network.pushes} == {campaign.public_id}
    assert counts(campaign) == Counts(planned=3, attempted=3, accepted=3)


@pytest.mark.parametrize(
    ("strategy", "sends", "routes"),
    [
        (Strategy.IN_SEQUENCE, 3, {"console"}),
        (Strategy.REALTIME_FIRST, 3, {"realtime"}),
        (Strategy.ROUTE_ONLY, 3, {"console"}),
        (Strategy.ALL, 6, {"console", "realtime"}),
    ],
)
def test_a_strategy_says_by_which_routes_people_are_reached(
    start: Callable[..., Campaign], network: Recorder, strategy: Strategy, sends: int, routes: set[str]
) -> None:
    campaign = start(routes=["console", "realtime"], strategy=strategy)
    run_to_the_end()
    assert counts(campaign) == Counts(planned=sends, attempted=sends, accepted=sends)
    with tenant_scope(campaign.tenant_id):
        used = Delivery.objects.of(campaign.tenant_id).values_list("route", flat=True)
        assert (set(used), len(used)) == (routes, sends)


def test_everybody_gets_their_language(
    start: Callable[..., Campaign], application: Application, network: Recorder
) -> None:
    make_people(application, 1, language="zh-Hans-CN")
    start()
    run_to_the_end()
    assert [push.notification.title for push in network.pushes] == ["你好", "Hi Name 1", "Hi Name 2"]


def test_a_campaign_for_later_waits(make: Callable[..., Campaign], network: Recorder) -> None:
    campaign = schedule(make(), in_seconds=3600)
    assert start_due_campaigns() == 0
    assert campaign.status == "scheduled"


def test_two_ticks_start_a_campaign_once(start: Callable[..., Campaign], network: Recorder) -> None:
    campaign = start()
    assert start_due_campaigns() == 0
    with tenant_scope(campaign.tenant_id):
        assert CampaignRun.objects.of(campaign.tenant_id).count() == 1


def test_planning_is_resumed_where_it_stopped(
    start: Callable[..., Campaign], application: Application, network: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "CHUNK", 2)
    monkeypatch.setattr(planning, "CHUNKS", 1)
    monkeypatch.setattr(planning, "CHUNKS_AT_ONCE", 1)
    names = make_people(application, 7)
    campaign = start()
    assert planning.plan_started_runs(seconds=0) is True  # out of time before the first page
    claim = planning._claim()
    assert claim is not None
    assert planning._plan_page(claim) is True  # two people, then the worker dies
    assert planning.plan_started_runs(seconds=30) is False
    assert send_due_chunks(seconds=30) is False
    assert len(network.pushes) == 2
    with tenant_scope(application.tenant):
        CampaignRun.objects.of(application.tenant_id).update(lease_until=clock.now() - timedelta(seconds=1))
    run_to_the_end()
    assert sorted(network.recipients) == names
    assert status(campaign) == "sent"


def test_a_planner_that_lost_its_lease_plans_nothing(start: Callable[..., Campaign], application: Application) -> None:
    campaign = start()
    claim = planning._claim()
    assert claim is not None
    with tenant_scope(application.tenant):
        CampaignRun.objects.of(application.tenant_id).update(fence=claim.fence + 1)
    assert planning._plan_page(claim) is False
    assert counts(campaign).planned == 0


def test_who_comes_after_the_start_is_not_in_the_run(
    start: Callable[..., Campaign], application: Application, network: Recorder
) -> None:
    start()
    make_people(application, 5)
    run_to_the_end()
    assert len(network.pushes) == 3


def test_words_changed_after_the_start_do_not_reach_the_run(
    make: Callable[..., Campaign], application: Application, network: Recorder
) -> None:
    with tenant_scope(application.tenant):
        template = create_template(tenant=application.tenant, application=application, name="T", content=CONTENT)
    campaign = make(content=None, template=template)
    schedule(campaign)
    start_due_campaigns()
    with tenant_scope(application.tenant):
        template.changed(content={"en": {"title": "Changed", "body": ""}})
    run_to_the_end()
    assert network.pushes[0].notification.title == "Hi Name 0"


def test_pause_resume_and_cancel(start: Callable[..., Campaign], network: Recorder) -> None:
    campaign = start()
    tenant = campaign.tenant
    with tenant_scope(tenant):
        pause_campaign(tenant=tenant, campaign=campaign)
    run_to_the_end()
    assert (network.pushes, status(campaign)) == ([], "paused")
    with tenant_scope(tenant):
        resume_campaign(tenant=tenant, campaign=campaign)
        assert campaign.refreshed().status == "sending"
        cancel_campaign(tenant=tenant, campaign=campaign)
    run_to_the_end()
    assert (network.pushes, status(campaign)) == ([], "cancelled")
    assert counts(campaign) == Counts(planned=3, suppressed=3)


def test_a_cancel_during_planning_adds_nobody_else(start: Callable[..., Campaign], network: Recorder) -> None:
    campaign = start()
    with tenant_scope(campaign.tenant_id):
        cancel_campaign(tenant=campaign.tenant, campaign=campaign)
    run_to_the_end()
    assert counts(campaign) == Counts()


def test_a_scheduled_campaign_can_be_cancelled(make: Callable[..., Campaign]) -> None:
    campaign = schedule(make(), in_seconds=60)
    with tenant_scope(campaign.tenant_id):
        cancel_campaign(tenant=campaign.tenant, campaign=campaign)
    assert start_due_campaigns() == 0
    assert status(campaign) == "cancelled"


def test_a_campaign_past_its_ttl_says_expired(start: Callable[..., Campaign], network: Recorder) -> None:
    campaign = start(ttl=60)
    with tenant_scope(campaign.tenant_id):
        Message.objects.of(campaign.tenant_id).update(expires_at=clock.now() - timedelta(seconds=1))
    run_to_the_end()
    assert network.pushes == []
    assert counts(campaign) == Counts(planned=3, suppressed=3)


def test_what_is_beyond_the_quota_is_not_sent(
    start: Callable[..., Campaign], network: Recorder, application: Application
) -> None:
    campaign = start()
    with tenant_scope(application.tenant), connection.cursor() as cursor:
        cursor.execute("UPDATE billing_quota SET hard_limit = used + 2 WHERE meter = 'campaign.sends'")
    run_to_the_end()
    assert len(network.pushes) == 2
    assert counts(campaign) == Counts(planned=3, suppressed=1, attempted=2, accepted=2)


def test_scheduling_beyond_the_quota_is_refused(make: Callable[..., Campaign], application: Application) -> None:
    campaign = make()
    with tenant_scope(application.tenant), connection.cursor() as cursor:
        current_period(tenant=application.tenant)  # opens the quotas
        cursor.execute("UPDATE billing_quota SET hard_limit = 2 WHERE meter = 'campaign.sends'")
    with pytest.raises(QuotaExceeded):
        schedule(campaign)
    assert status(campaign) == "draft"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"name": ""}, InvalidInput),
        ({"name": "x" * 10_000}, InvalidInput),
        ({"content": None}, ContentMissing),
        ({"content": {"en": {"title": "{{ subscriber.name"}}}, TemplateInvalid),
        ({"content": {"en": {"title": "{% for i in (1..99999999) %}x{% endfor %}"}}}, TemplateInvalid),
        ({"routes": []}, RouteMissing),
        ({"routes": ["pigeon"]}, UnknownProvider),
        ({"routes": ["realtime"], "strategy": Strategy.ROUTE_ONLY}, RouteMissing),
        ({"audience": {"segment_id": "seg_nothing"}}, AudienceInvalid),
        ({"audience": {"everybody": True}}, AudienceInvalid),
    ],
)
def test_a_plan_that_cannot_work_is_refused(
    make: Callable[..., Campaign], given: dict[str, object], error: type[HouseError]
) -> None:
    with pytest.raises(error):
        make(**given)


@pytest.mark.parametrize(("seconds", "error"), [(-3600, ScheduleInPast), (400 * 86_400, ScheduleTooFar)])
def test_an_impossible_time_is_refused(make: Callable[..., Campaign], seconds: float, error: type[HouseError]) -> None:
    campaign = make()
    with pytest.raises(error):
        schedule(campaign, in_seconds=seconds)
    assert status(campaign) == "draft"


def test_an_audience_of_nobody_is_refused(make: Callable[..., Campaign]) -> None:
    with pytest.raises(EmptyAudience):
        schedule(make(audience={"external_ids": ["nobody-at-all"]}))


def test_a_variable_that_nobody_has_is_refused_with_its_place(make: Callable[..., Campaign]) -> None:
    campaign = make(content={"en": {"title": "Hi", "body": "Line\nand {{ subscriber.nmae }}"}})
    with pytest.raises(UnknownVariable) as caught:
        schedule(campaign)
    [fault] = caught.value.faults
    assert (fault.language, fault.field, fault.line) == ("en", "body", 2)
    assert "subscriber.nmae" in fault.message


def test_only_a_draft_is_deleted(make: Callable[..., Campaign]) -> None:
    campaign = schedule(make(), in_seconds=60)
    with tenant_scope(campaign.tenant_id):
        with pytest.raises(CampaignWrongState):
            delete_campaign(tenant=campaign.tenant, campaign=campaign)
        copy = duplicate_campaign(tenant=campaign.tenant, campaign=campaign)
        assert (copy.status, copy.name, copy.content) == ("draft", "Copy of Spring", CONTENT)
        delete_campaign(tenant=campaign.tenant, campaign=copy)


def test_a_template_in_use_is_not_deleted(make: Callable[..., Campaign], application: Application) -> None:
    with tenant_scope(application.tenant):
        template = create_template(tenant=application.tenant, application=application, name="T", content=CONTENT)
    make(content=None, template=template)
    with tenant_scope(application.tenant), pytest.raises(HouseError, match="template_in_use"):
        delete_template(tenant=application.tenant, template=template)


def test_a_test_send_reaches_only_the_named(make: Callable[..., Campaign], network: Recorder) -> None:
    campaign = make()
    with tenant_scope(campaign.tenant_id):
        send_test(tenant=campaign.tenant, campaign=campaign, external_ids=["person-0001"])
    run_to_the_end()
    assert network.recipients == ["person-0001"]
    assert status(campaign) == "draft"


def test_a_campaign_that_cannot_start_fails_with_its_code(make: Callable[..., Campaign]) -> None:
    campaign = schedule(make(), in_seconds=-1)
    with tenant_scope(campaign.tenant_id):
        Campaign.objects.of(campaign.tenant_id).filter(pk=campaign.pk).update(content={})
    assert start_due_campaigns() == 0
    with tenant_scope(campaign.tenant_id):
        assert (campaign.refreshed().status, campaign.failure) == ("failed", "content_missing")


def test_who_is_unsubscribed_is_suppressed_with_the_reason_and_a_dry_run_says_so(
    start: Callable[..., Campaign], application: Application, network: Recorder, people: list[str]
) -> None:
    with tenant_scope(application.tenant_id):
        refusing = Subscriber.objects.in_application(application).named(people[1])
        set_preferences(tenant=application.tenant_id, person=refusing, source="link", unsubscribed=True)
    campaign = start()
    with tenant_scope(application.tenant_id):
        dry_run = simulate_campaign(campaign.refreshed())
    run_to_the_end()

    assert network.recipients == [people[0], people[2]]
    assert counts(campaign) == Counts(planned=3, suppressed=1, attempted=2, accepted=2)
    assert (dict(dry_run.suppressed), dry_run.sends) == ({"opted_out": 1}, 2)
    assert {sample.external_id for sample in dry_run.samples} == {people[0], people[2]}
