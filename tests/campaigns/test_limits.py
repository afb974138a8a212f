"""What holds messages back: throttle, caps, quotas, ttl, consent at the last moment; and that a dry run says the
same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection

from apps.audience.models import Subscriber
from apps.audience.services.preferences import create_category, set_preferences
from apps.campaigns import planning
from apps.campaigns.explaining import explain_campaign
from apps.campaigns.models import Campaign, CampaignRun
from apps.campaigns.services import create_campaign, schedule_campaign
from apps.campaigns.services.editing import Plan
from apps.campaigns.services.running import finish_ended_campaigns, start_due_campaigns
from apps.campaigns.simulation import Simulation, simulate_campaign
from apps.core import clock
from apps.messaging import upkeep
from apps.messaging.ledger import steps as ledger
from apps.messaging.ledger.claiming import claim_chunk
from apps.messaging.models import Chunk, Delivery, Message
from apps.messaging.queries import differences
from apps.messaging.sending.pipeline import send_due_chunks
from apps.providers import registry
from apps.providers.base import Limits
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope
from tests.sending import Recorder, make_people

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker")]

CONTENT = {"en": {"title": "Hi", "body": "News"}, "de": {"title": "Hallo", "body": ""}}
ZONES = ["Europe/Vienna", "America/New_York", "Asia/Kathmandu", "", "Pacific/Kiritimati"]
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


@pytest.fixture
def crowd(application: Application) -> list[str]:
    """Thirty people in five zones and two languages."""
    names = make_people(application, 30)
    with tenant_scope(application.tenant):
        people = Subscriber.objects.in_application(application).order_by("pk")
        for number, person in enumerate(people):
            language = "de" if number % 3 == 0 else "en"
            Subscriber.objects.of(application.tenant_id).filter(pk=person.pk).update(
                timezone=ZONES[number % 5], language=language
            )
        create_category(tenant=application.tenant, application=application, key="news", names={"en": "News"})
    return names


@pytest.fixture
def scheduled(application: Application, crowd: list[str]) -> Callable[..., Campaign]:
    def scheduled(**given: Any) -> Campaign:
        plan = {"name": "C", "audience": {"all": True}, "routes": ["realtime"], "content": CONTENT, **given}
        with tenant_scope(application.tenant):
            made = create_campaign(tenant=application.tenant, application=application, plan=Plan(**plan))
            return schedule_campaign(tenant=application.tenant, campaign=made, send_at=None)

    return scheduled


def refuse(application: Application, name: str, **preferences: Any) -> None:
    with tenant_scope(application.tenant):
        person = Subscriber.objects.in_application(application).named(name)
        set_preferences(tenant=application.tenant, person=person, source="link", **preferences)


def run_planner() -> None:
    start_due_campaigns()
    assert planning.plan_started_runs(seconds=30) is False


def finish() -> None:
    assert send_due_chunks(seconds=30) is False
    upkeep.end_messages()
    finish_ended_campaigns()


def dry_run(campaign: Campaign) -> Simulation:
    with tenant_scope(campaign.tenant_id):
        return simulate_campaign(campaign.refreshed())


def rows(campaign: Campaign) -> list[Delivery]:
    with tenant_scope(campaign.tenant_id):
        run = CampaignRun.objects.of(campaign.tenant_id).filter(campaign=campaign).latest("pk")
        assert differences(run.message) == {}
        found = Delivery.objects.of(campaign.tenant_id).filter(message=run.message_id).select_related("chunk")
        return list(found.order_by("subscriber_id"))


def reasons(campaign: Campaign) -> Counter[str]:
    return Counter(row.reason for row in rows(campaign) if row.state == "suppressed")


def planned_hours(campaign: Campaign) -> Counter[datetime]:
    planned = [row for row in rows(campaign) if row.state == "planned"]
    return Counter(row.chunk.due_at.replace(minute=0, second=0, microsecond=0) for row in planned)


QUIET = {"from": "21:00", "to": "07:00", "action": "hold"}
RULES: list[dict[str, Any]] = [
    {},
    {"quiet_hours": QUIET},
    {"quiet_hours": {**QUIET, "action": "drop"}},
    {"throttle_per_minute": 4},
    {"quiet_hours": QUIET, "throttle_per_minute": 1, "ttl": 8 * 3600},
    {"category": "news", "schedule": {"kind": "local_time", "local_time": "2026-05-20T12:00", "missed": "skip"}},
    {
        "schedule": {"kind": "local_time", "local_time": "2026-05-20T12:00"},
        "quiet_hours": QUIET,
        "throttle_per_minute": 3,
    },
    {"schedule": {"kind": "best_hour", "fallback_hour": 23}, "quiet_hours": QUIET},
    {"frequency_cap": {"count": 1, "days": 2}},
    {"category": "news", "frequency_cap": {"count": 1, "days": 1, "action": "defer"}, "quiet_hours": QUIET},
]


@pytest.mark.parametrize("rules", RULES, ids=lambda rules: "+".join(rules) or "nothing")
def test_a_dry_run_and_the_ledger_agree_row_by_row(
    scheduled: Callable[..., Campaign], application: Application, crowd: list[str], rules: dict[str, Any]
) -> None:
    refuse(application, crowd[0], unsubscribed=True)
    refuse(application, crowd[1], wanted={"news": False})
    with time_machine.travel(datetime(2026, 5, 20, 9, 30, tzinfo=UTC), tick=False):
        scheduled(audience={"external_ids": crowd[:10]})
        run_planner()
        campaign = scheduled(**rules)
        found = dry_run(campaign)
        with tenant_scope(application.tenant):
            people = list(Subscriber.objects.in_application(application).order_by("pk"))
            told = [explain_campaign(campaign, person)[0] for person in people]
        run_planner()
        written = rows(campaign)
    assert found.audience == len(written) == len(people)
    assert found.suppressed == reasons(campaign)
    assert found.by_hour == planned_hours(campaign)
    for row, answer in zip(written, told, strict=True):
        assert (answer.state, answer.reason) == (row.state, row.reason) or answer.is_earliest, answer
        if row.state == "planned":
            assert answer.due_at == row.chunk.due_at or (answer.is_earliest and answer.due_at <= row.chunk.due_at)


def test_two_campaigns_at_once_do_not_pass_the_cap_together(
    scheduled: Callable[..., Campaign], application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page by page in turn, as two workers would plan them."""
    monkeypatch.setattr(planning, "CHUNK", 5)
    monkeypatch.setattr(planning, "CHUNKS", 1)
    monkeypatch.setattr(planning, "CHUNKS_AT_ONCE", 1)
    cap = {"count": 1, "days": 7}
    one, two = scheduled(category="news", frequency_cap=cap), scheduled(category="news", frequency_cap=cap)
    other = scheduled(frequency_cap={"count": 3, "days": 7})
    start_due_campaigns()
    claims = [planning._claim() for _ in range(3)]
    while sum(planning._plan_page(claim) for claim in claims if claim):
        pass
    planned: Counter[int] = Counter()
    for campaign in (one, two):
        planned.update(row.subscriber_id for row in rows(campaign) if row.state == "planned")
    assert (set(planned.values()), len(planned)) == ({1}, 30)
    assert reasons(one) + reasons(two) == {"frequency_cap": 30}
    assert reasons(other) == {}


def test_who_was_sent_enough_lately_is_left_out_and_who_was_not_reached_is_not_counted(
    scheduled: Callable[..., Campaign], application: Application, crowd: list[str], network: Recorder
) -> None:
    for _ in range(2):
        scheduled(category="news", audience={"external_ids": crowd[:4]})
        run_planner()
        finish()
    with tenant_scope(application.tenant):
        unreached = Subscriber.objects.in_application(application).named(crowd[0])
        Delivery.objects.of(application.tenant_id).filter(subscriber=unreached).update(state="rejected")
        long_ago = Subscriber.objects.in_application(application).named(crowd[1])
        Delivery.objects.of(application.tenant_id).filter(subscriber=long_ago).update(
            attempted_at=clock.now() - 3 * DAY
        )
    capped = scheduled(category="news", frequency_cap={"count": 2, "days": 3})
    run_planner()
    assert reasons(capped) == {"frequency_cap": 2}  # the third and the fourth
    elsewhere = scheduled(frequency_cap={"count": 4, "days": 3})  # no category: all campaigns count
    run_planner()
    assert reasons(elsewhere) == {}


def test_somebody_who_unsubscribes_between_planning_and_sending_gets_nothing(
    scheduled: Callable[..., Campaign], application: Application, crowd: list[str], network: Recorder
) -> None:
    campaign = scheduled(category="news")
    run_planner()
    refuse(application, crowd[3], unsubscribed=True)
    refuse(application, crowd[4], wanted={"news": False})
    finish()
    assert sorted(network.recipients) == sorted(set(crowd) - {crowd[3], crowd[4]})
    assert reasons(campaign) == {"opted_out": 1, "preference_off": 1}


def test_a_chunk_of_which_nobody_is_left_ends_without_a_call(
    scheduled: Callable[..., Campaign], application: Application, crowd: list[str], network: Recorder
) -> None:
    campaign = scheduled(audience={"external_ids": crowd[:2]})
    run_planner()
    for name in crowd[:2]:
        refuse(application, name, unsubscribed=True)
    finish()
    assert (network.pushes, reasons(campaign)) == ([], {"opted_out": 2})
    with tenant_scope(application.tenant):
        assert campaign.refreshed().status == "sent"


@pytest.mark.parametrize("action", ["hold", "drop"])
def test_what_comes_late_is_asked_again_about_quiet_hours(
    scheduled: Callable[..., Campaign], application: Application, network: Recorder, action: str
) -> None:
    """Workers were down, or the campaign was paused, until the night."""
    campaign = scheduled(quiet_hours={"from": "00:00", "to": "00:01", "action": action})
    run_planner()
    with tenant_scope(application.tenant):
        Message.objects.of(application.tenant_id).update(quiet_hours={"from": "00:00", "to": "23:59", "action": action})
    assert send_due_chunks(seconds=30) is False
    assert network.pushes == []
    states = Counter(row.state for row in rows(campaign))
    assert states == ({"planned": 30} if action == "hold" else {"suppressed": 30})
    if action == "hold":
        with tenant_scope(application.tenant):
            waiting = Chunk.objects.of(application.tenant_id).filter(is_done=False)
            assert all(chunk.due_at > clock.now() for chunk in waiting)
            Message.objects.of(application.tenant_id).update(quiet_hours=None)
            waiting.update(due_at=clock.now())
        finish()
        assert len(network.pushes) == 30


def test_no_more_attempts_begin_in_a_minute_than_the_throttle_says(
    scheduled: Callable[..., Campaign], application: Application, network: Recorder
) -> None:
    """Everything is due at once, as after a pause: the minute is kept all the same, by two workers in turn."""
    scheduled(throttle_per_minute=8)
    run_planner()
    with tenant_scope(application.tenant):
        Chunk.objects.of(application.tenant_id).update(due_at=clock.now() - DAY)
    sent = []
    start = clock.now().replace(second=5, microsecond=0)
    for minute in range(5):
        with time_machine.travel(start + minute * MINUTE, tick=False):
            assert send_due_chunks(seconds=30) is False
            assert send_due_chunks(seconds=30) is False
        sent.append(len(network.pushes))
        with tenant_scope(application.tenant):
            Chunk.objects.of(application.tenant_id).filter(is_done=False).update(due_at=clock.now() - DAY)
    assert sent == [8, 16, 24, 30, 30]
    upkeep.end_messages()


def test_a_chunk_past_its_own_ttl_is_not_sent(
    scheduled: Callable[..., Campaign], application: Application, network: Recorder
) -> None:
    campaign = scheduled(ttl=3600)
    run_planner()
    with tenant_scope(application.tenant):
        Message.objects.of(application.tenant_id).update(expires_at=None)
        Chunk.objects.of(application.tenant_id).update(expires_at=clock.now())
    finish()
    assert (network.pushes, reasons(campaign)) == ([], {"expired": 30})


def test_two_runs_share_the_days_of_a_provider(
    scheduled: Callable[..., Campaign], application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Narrow(Recorder):
        limits = Limits(per_day=40)

    monkeypatch.setattr(registry, "_factory", lambda _name: Narrow)
    with time_machine.travel(datetime(2026, 5, 20, 9, 30, tzinfo=UTC), tick=False):
        first = scheduled()
        run_planner()
        second = scheduled()
        assert dry_run(second).by_hour == {
            datetime(2026, 5, 20, 9, tzinfo=UTC): 10, datetime(2026, 5, 21, tzinfo=UTC): 20,
        }  # fmt: skip
        run_planner()
        third = scheduled(ttl=3600)
        run_planner()
    assert Counter(row.chunk.due_at.day for row in rows(first)) == {20: 30}
    assert Counter(row.chunk.due_at.day for row in rows(second)) == {20: 10, 21: 20}
    assert reasons(third) == {"provider_quota": 30}


def test_planning_a_throttled_run_is_resumed_with_the_places_that_are_taken(
    scheduled: Callable[..., Campaign], application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "CHUNK", 4)
    monkeypatch.setattr(planning, "CHUNKS", 1)
    monkeypatch.setattr(planning, "CHUNKS_AT_ONCE", 1)
    campaign = scheduled(throttle_per_minute=3)
    start_due_campaigns()
    claim = planning._claim()
    assert claim is not None
    assert planning._plan_page(claim) is True
    with tenant_scope(application.tenant), connection.cursor() as cursor:
        cursor.execute("UPDATE campaigns_campaignrun SET lease_until = NULL")
    assert planning.plan_started_runs(seconds=30) is False
    minutes = Counter(row.chunk.due_at.replace(second=0, microsecond=0) for row in rows(campaign))
    assert sorted(minutes.values()) == [3] * 10
    assert max(minutes) - min(minutes) == 9 * MINUTE


def test_a_held_row_cannot_be_moved_by_somebody_who_lost_the_chunk(
    scheduled: Callable[..., Campaign], application: Application
) -> None:
    scheduled()
    run_planner()
    claim = claim_chunk()
    assert claim is not None
    with tenant_scope(application.tenant):
        Delivery.objects.of(application.tenant_id).update(state="attempted")
        ids = list(Delivery.objects.of(application.tenant_id).values_list("pk", flat=True))
    with pytest.raises(ledger.LeaseLost), tenant_scope(application.tenant):
        ledger.hold_until(claim, ids, due_at=clock.now() + DAY)
