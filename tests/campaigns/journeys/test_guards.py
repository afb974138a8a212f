"""What holds a journey back as it does a campaign: approval, fuse, throttle, limits, consent at the last moment."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection

from apps.accounts.models import User
from apps.audience.models import Subscriber
from apps.audience.services.preferences import set_preferences
from apps.campaigns.asking import ask_for_approval
from apps.campaigns.errors import ApprovalMissing, ApprovalOutdated, ResumeUnconfirmed, SelfApproval
from apps.campaigns.journeys.fusing import pause_blown_journeys
from apps.campaigns.journeys.models import Journey
from apps.campaigns.journeys.services import (
    create_journey,
    pause_journey,
    publish_journey,
    resume_journey,
    update_journey,
)
from apps.campaigns.services import approving, set_fuse
from apps.messaging.sending import pipeline as sending
from apps.messaging.upkeep import end_messages
from apps.providers.base import Outcome, Result
from apps.tenants.models import Application, AuditEntry
from apps.tenants.scope import tenant_scope
from tests.campaigns.journeys.world import World, a_journey, a_send, a_wait
from tests.sending import Recorder

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker")]

NOON = datetime(2026, 1, 14, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def world(application: Application, clock: Any) -> World:
    return World(application)


@pytest.fixture
def draft(world: World) -> Journey:
    """Of an application in which a second person approves."""
    with tenant_scope(world.tenant):
        approving.set_needs_approval(tenant=world.tenant, application=world.application, needed=True, actor="x")
        return create_journey(
            tenant=world.tenant, application=world.application, name="Cart", definition=a_journey(a_send())
        )


def approve(journey: Journey, asker: User, approver: User) -> None:
    asked = ask_for_approval(tenant=journey.tenant, subject=journey, actor="x", asked_by=asker)
    approving.decide_approval(tenant=journey.tenant, subject=journey, user=approver, approves=True, seen=asked.hash)


def test_a_journey_runs_only_after_somebody_else_approved_it(
    world: World, draft: Journey, owner: User, other_owner: User
) -> None:
    with tenant_scope(world.tenant):
        with pytest.raises(ApprovalMissing):
            publish_journey(tenant=world.tenant, journey=draft)
        with pytest.raises(SelfApproval):
            approve(draft, owner, owner)
        approve(draft, owner, other_owner)
        assert publish_journey(tenant=world.tenant, journey=draft).version == 1
        actions = list(AuditEntry.objects.of(world.tenant).values_list("action", flat=True))
    assert {"journey.approval_asked", "journey.approved"} <= set(actions)
    world.does("ann", "start")
    world.tick()
    assert len(world.sent()) == 1


def test_a_changed_version_must_be_approved_again(world: World, draft: Journey, owner: User, other_owner: User) -> None:
    with tenant_scope(world.tenant):
        approve(draft, owner, other_owner)
        publish_journey(tenant=world.tenant, journey=draft)
        asked = ask_for_approval(tenant=world.tenant, subject=draft, actor="x", asked_by=owner)
        changed = update_journey(tenant=world.tenant, journey=draft, definition=a_journey(a_wait(60), a_send()))
        with pytest.raises(ApprovalMissing):
            publish_journey(tenant=world.tenant, journey=changed)
        with pytest.raises(ApprovalOutdated):
            approving.decide_approval(
                tenant=world.tenant, subject=changed, user=other_owner, approves=True, seen=asked.hash
            )
        assert [change.name for change in approving.changes_since_approval(changed)] == ["definition"]
        assert changed.refreshed().version == 1


def fail(world: World, network: Recorder, *names: str) -> None:
    """Each event is a message of its own, so that no single one could blow."""
    network.answer = lambda push: Outcome(push.id, Result.REJECTED, "broken")
    for name in names:
        world.does(name, "start")
        world.tick()
        sending.send_due_chunks(seconds=30)


def test_errors_over_many_small_messages_pause_the_journey_until_somebody_confirms(
    world: World, network: Recorder, clock: Any
) -> None:
    with tenant_scope(world.tenant):
        fuse = {"errors": 50, "gone": 20, "window": 600, "least": 10}
        set_fuse(tenant=world.tenant, application=world.application, fuse=fuse)
    journey = world.publish(a_journey(a_send(routes=["realtime"])))
    fail(world, network, *(f"p-{number}" for number in range(9)))
    assert pause_blown_journeys() == 0

    fail(world, network, "p-9")
    end_messages()
    assert (pause_blown_journeys(), pause_blown_journeys()) == (1, 0)
    fail(world, network, "p-10")
    assert len(world.sent()) == 10
    with tenant_scope(world.tenant):
        paused = journey.refreshed()
        assert (paused.status, paused.paused_for) == ("paused", "error_rate")
        entry = AuditEntry.objects.of(world.tenant).latest("pk")
        assert (entry.action, entry.facts) == ("journey.paused", {"reason": "error_rate"})
        with pytest.raises(ResumeUnconfirmed):
            resume_journey(tenant=world.tenant, journey=paused)
        clock.shift(timedelta(seconds=1))
        resumed = resume_journey(tenant=world.tenant, journey=paused, confirm=True)
    assert (resumed.status, resumed.paused_for) == ("active", "")
    fail(world, network, "p-11")
    assert (len(world.sent()), pause_blown_journeys()) == (11, 0)


def test_a_pause_stops_what_is_being_sent(world: World, network: Recorder) -> None:
    journey = world.publish(a_journey(a_send(routes=["realtime"])))
    world.does("ann", "start")
    world.tick()
    with tenant_scope(world.tenant):
        pause_journey(tenant=world.tenant, journey=journey)
    sending.send_due_chunks(seconds=30)
    assert network.recipients == []
    with tenant_scope(world.tenant):
        resume_journey(tenant=world.tenant, journey=journey.refreshed())
    sending.send_due_chunks(seconds=30)
    assert len(network.recipients) == 1


def test_no_minute_has_more_sends_than_the_throttle_allows(world: World, clock: Any) -> None:
    world.publish(a_journey(a_send("s", "t"), a_send("t"), sends_per_minute=3))
    for number in range(4):
        world.does(f"p-{number}", "start")
    sent = []
    for _minute in range(4):
        world.tick()
        world.tick()
        sent.append(len(world.sent()))
        clock.shift(MINUTE)
    assert sent == [3, 6, 8, 8]
    assert {state for _who, state, *_ in world.entries()} == {"done"}


def test_places_that_a_stopped_worker_missed_are_asked_for_anew(world: World, clock: Any) -> None:
    world.publish(a_journey(a_send(), sends_per_minute=2))
    for number in range(6):
        world.does(f"p-{number}", "start")
    world.tick()
    clock.shift(MINUTE * 30)
    sent = []
    for _minute in range(2):
        world.tick()
        sent.append(len(world.sent()))
        clock.shift(MINUTE)
    assert sent == [4, 6]


def test_a_send_over_the_limit_is_refused_with_its_reason(world: World, network: Recorder) -> None:
    world.publish(a_journey(a_send(routes=["realtime"])))
    for name in ("ann", "bob"):
        world.does(name, "start")
        world.tick()
        sending.send_due_chunks(seconds=30)
        with tenant_scope(world.tenant), connection.cursor() as cursor:
            cursor.execute("UPDATE billing_quota SET hard_limit = used WHERE meter = 'campaign.sends'")
    assert [(state, reason) for _who, state, reason in world.sent()] == [("accepted", ""), ("suppressed", "spend_cap")]


def test_who_unsubscribes_between_the_step_and_the_slice_gets_nothing(world: World, network: Recorder) -> None:
    world.publish(a_journey(a_send(routes=["realtime"])))
    world.does("ann", "start")
    world.tick()
    with tenant_scope(world.tenant):
        ann = Subscriber.objects.of(world.tenant).get()
        set_preferences(tenant=world.tenant, person=ann, source="link", unsubscribed=True)
    sending.send_due_chunks(seconds=30)
    assert world.sent() == [("ann", "suppressed", "opted_out")]
