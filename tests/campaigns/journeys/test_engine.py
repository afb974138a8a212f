"""People on their way: how they come in, what holds them, what takes them out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from apps.audience.models import Subscriber, WatchedEvent
from apps.audience.services.subscribers import erase_subscriber, upsert_subscriber
from apps.campaigns.disclosure import ways_of
from apps.campaigns.errors import JourneyEntryRefused, JourneyWrongState
from apps.campaigns.journeys.models import Journey, JourneyEntry, JourneyVersion, JourneyVisit
from apps.campaigns.journeys.services import (
    add_person,
    archive_journey,
    pause_journey,
    publish_journey,
    resume_journey,
    update_journey,
)
from apps.messaging import upkeep
from apps.messaging.models import Message
from apps.messaging.sending import pipeline as sending
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope
from tests.campaigns.journeys.world import World, a_journey, a_send, a_wait
from tests.sending import Recorder

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker")]

#: A Wednesday, noon in London's winter.
NOON = datetime(2026, 1, 14, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def world(application: Application, clock: Any) -> World:
    return World(application)


def test_an_event_starts_a_journey_that_waits_and_sends(world: World, clock: Any, network: Recorder) -> None:
    world.publish(a_journey(a_wait(3600), a_send()))
    world.does("ann", "start")
    world.does("bob", "other")
    world.tick()
    assert world.entries() == [("ann", "active", "w", "")]
    clock.shift(HOUR - timedelta(seconds=1))
    world.tick()
    assert world.sent() == []
    clock.shift(timedelta(seconds=1))
    world.tick()
    assert world.entries() == [("ann", "done", "s", "")]
    assert world.sent() == [("ann", "planned", "")]


def test_a_send_goes_the_way_of_every_message(world: World, network: Recorder) -> None:
    journey = world.publish(a_journey(a_send()))
    world.does("ann", "start")
    world.tick()
    sending.send_due_chunks(seconds=5)
    upkeep.end_messages()
    assert network.recipients == ["ann"]
    assert world.sent() == [("ann", "accepted", "")]
    with tenant_scope(world.tenant):
        [message] = Message.objects.of(world.tenant)
    assert (message.origin, message.ended_at is not None) == (journey.public_id, True)


def test_an_event_that_is_repeated_starts_nothing_more(world: World) -> None:
    world.publish(a_journey(a_wait(60, None)))
    assert [world.does("ann", "start", event_id="e-1") for _ in range(2)] == ["recorded", "duplicate"]
    world.tick()
    world.tick()
    assert len(world.entries()) == 1


def test_only_an_event_whose_properties_fit_starts_it(world: World) -> None:
    where = [{"key": "total", "relation": ">", "value": 20}]
    world.publish(a_journey(a_wait(60, None), trigger={"event": "start", "where": where}))
    world.does("ann", "start", total=30)
    world.does("bob", "start", total=20)
    world.does("cho", "start")
    world.tick()
    assert [entry[0] for entry in world.entries()] == ["ann"]


def test_an_old_event_starts_nothing(world: World) -> None:
    world.publish(a_journey(a_wait(60, None)))
    world.does("ann", "start", at=NOON - DAY)
    world.does("bob", "start", at=NOON - DAY + MINUTE)
    world.tick()
    assert [entry[0] for entry in world.entries()] == ["bob"]


def test_nothing_is_kept_of_events_that_nobody_watches(world: World, application: Application) -> None:
    journey = world.publish(a_journey(a_wait(60, None)))
    with tenant_scope(world.tenant):
        pause_journey(tenant=world.tenant, journey=journey)
    world.does("ann", "start")
    with tenant_scope(world.tenant):
        assert WatchedEvent.objects.of(world.tenant).count() == 0


@pytest.mark.parametrize(
    ("reentry", "comes_in_after"),
    [
        ({"rule": "once"}, [0]),
        ({"rule": "after", "days": 2}, [0, 2]),
        ({"rule": "always"}, [0, 1, 2, 3]),
    ],
)
def test_how_often_somebody_comes_in(
    world: World, clock: Any, reentry: dict[str, Any], comes_in_after: list[int]
) -> None:
    world.publish(a_journey(a_send(), reentry=reentry))
    came: list[int] = []
    for day in range(4):
        before = len(world.entries())
        world.does("ann", "start")
        world.tick()
        came += [day] * (len(world.entries()) - before)
        clock.shift(DAY)
    assert came == comes_in_after


@pytest.mark.parametrize(("alone", "entries"), [(True, 1), (False, 3)])
def test_who_is_under_way_comes_in_again_only_when_that_is_wanted(world: World, alone: bool, entries: int) -> None:
    world.publish(a_journey(a_send(), reentry={"rule": "always", "one_at_a_time": alone}))
    for _ in range(3):
        world.does("ann", "start")
    world.tick()
    assert [state for _who, state, _step, _why in world.entries()] == ["done"] * entries
    assert world.sent() == [("ann", "planned", "")] * entries


def test_an_exit_stops_a_send_that_waits(world: World, clock: Any) -> None:
    where = [{"key": "total", "relation": ">", "value": 5}]
    exits = [{"event": "other"}, {"event": "purchase", "where": where}]
    world.publish(a_journey(a_wait(3600), a_send(), exits=exits))
    for name in ("ann", "bob", "cho"):
        world.does(name, "start")
    world.tick()
    clock.shift(MINUTE)
    world.does("ann", "purchase", total=10)
    world.does("bob", "purchase", total=1)
    world.does("cho", "purchase", total=10, at=NOON - MINUTE)  # before cho came in
    world.tick()
    assert world.entries()[0] == ("ann", "exited", "w", "exits[1]")
    clock.shift(HOUR)
    world.tick()
    assert [entry[1] for entry in world.entries()] == ["exited", "done", "done"]
    assert [sent[0] for sent in world.sent()] == ["bob", "cho"]


def test_an_exit_event_of_the_same_batch_counts(world: World, clock: Any) -> None:
    world.publish(a_journey(a_send(), exits=[{"event": "purchase"}]))
    world.does("ann", "start", at=NOON - MINUTE)
    world.does("ann", "purchase", at=NOON)
    world.tick()
    assert (world.entries(), world.sent()) == ([("ann", "exited", "s", "exits[0]")], [])


@pytest.mark.parametrize(("inside", "left"), [(True, "ann"), (False, "bob")])
def test_coming_into_or_out_of_a_segment_ends_it(world: World, clock: Any, inside: bool, left: str) -> None:
    rules = {"field": "tag", "relation": "=", "value": "vip"}
    world.publish(a_journey(a_wait(3600), a_send(), exits=[{"rules": rules, "inside": inside}]))
    world.meet("ann", tags=[] if inside else ["vip"])
    world.meet("bob", tags=[] if inside else ["vip"])
    world.does("ann", "start")
    world.does("bob", "start")
    world.tick()
    world.meet(left, tags=["vip"] if inside else [])
    clock.shift(HOUR)
    world.tick()
    assert [(who, state) for who, state, _step, _why in world.entries()] == [
        ("ann", "exited" if left == "ann" else "done"),
        ("bob", "exited" if left == "bob" else "done"),
    ]


def test_quiet_hours_hold_a_send_and_an_exit_still_stops_it(world: World, clock: Any) -> None:
    quiet = {"from": "11:00", "to": "14:00", "action": "hold"}
    world.publish(a_journey(a_send(quiet_hours=quiet), exits=[{"event": "purchase"}]))
    world.does("ann", "start")
    world.does("bob", "start")
    world.tick()
    assert [entry[1:3] for entry in world.entries()] == [("active", "s")] * 2
    clock.shift(HOUR)
    world.does("ann", "purchase")
    clock.shift(HOUR)
    world.tick()
    assert [entry[1] for entry in world.entries()] == ["exited", "done"]
    assert world.sent() == [("bob", "planned", "")]


def test_what_the_planner_refuses_stands_in_the_ledger_and_the_way_goes_on(world: World, clock: Any) -> None:
    cap = {"count": 1, "days": 7, "action": "skip"}
    world.publish(a_journey(a_send("s", "s2"), a_send("s2", frequency_cap=cap)))
    world.does("ann", "start")
    world.tick()
    assert world.sent() == [("ann", "planned", ""), ("ann", "suppressed", "frequency_cap")]
    with tenant_scope(world.tenant):
        visits = JourneyVisit.objects.of(world.tenant).order_by("number")
        assert list(visits.values_list("step", "result")) == [("s", "sent"), ("s2", "frequency_cap")]


def test_branches_updates_and_goals(world: World, network: Recorder) -> None:
    vip = {"field": "tag", "relation": "=", "value": "vip"}
    world.publish(
        a_journey(
            {"id": "u", "kind": "update", "attributes": {"plan": "pro"}, "add_tags": ["seen"], "remove_tags": ["new"],
             "next": "b"},
            {"id": "b", "kind": "branch", "if": {"rules": vip}, "then": "g", "else": None},
            {"id": "g", "kind": "end", "goal": "kept"},
        )
    )  # fmt: skip
    world.meet("ann", tags=["vip", "new"])
    world.meet("bob", tags=["new"])
    world.does("ann", "start")
    world.does("bob", "start")
    world.tick()
    assert world.entries() == [("ann", "done", "g", ""), ("bob", "done", "b", "")]
    with tenant_scope(world.tenant):
        people = Subscriber.objects.of(world.tenant).order_by("external_id").values_list("tags", "attributes")
        goals = JourneyEntry.objects.of(world.tenant).order_by("pk").values_list("goal", flat=True)
        assert list(people) == [(["vip", "seen"], {"plan": "pro"}), (["seen"], {"plan": "pro"})]
        assert list(goals) == ["kept", ""]


def test_a_branch_asks_what_was_done_since_the_entry(world: World, clock: Any) -> None:
    did = {"event": "opened_app"}
    world.publish(
        a_journey(
            a_wait(3600, "b"),
            {"id": "b", "kind": "branch", "if": did, "then": None, "else": "s"},
            a_send(),
        )
    )
    world.does("ann", "opened_app", at=NOON - MINUTE)
    world.does("ann", "start")
    world.does("bob", "start")
    clock.shift(MINUTE)
    world.does("bob", "opened_app")
    world.tick()
    clock.shift(2 * HOUR)
    world.tick()
    assert [sent[0] for sent in world.sent()] == ["ann"]


def test_a_split_is_drawn_once_and_by_its_percentages(world: World) -> None:
    ways = [{"percent": 25, "next": "s"}, {"percent": 75, "next": None}]
    world.publish(a_journey({"id": "x", "kind": "split", "ways": ways}, a_send()))
    for number in range(200):
        world.does(f"p-{number}", "start")
    world.tick()
    assert 25 <= len(world.sent()) <= 80  # of 200; far beyond four standard errors of 50
    assert len(world.entries()) == 200


def test_at_most_so_many_begin_in_a_minute(world: World, clock: Any) -> None:
    world.publish(a_journey(a_send(), entries_per_minute=2))
    for number in range(5):
        world.does(f"p-{number}", "start")
    counts = []
    for _minute in range(3):
        world.tick()
        counts.append(len(world.sent()))
        clock.shift(MINUTE)
    assert counts == [2, 4, 5]


def test_a_pause_holds_everybody_and_a_resumption_goes_on(world: World, clock: Any) -> None:
    journey = world.publish(a_journey(a_wait(3600), a_send()))
    world.does("ann", "start")
    world.tick()
    with tenant_scope(world.tenant):
        pause_journey(tenant=world.tenant, journey=journey)
        with pytest.raises(JourneyWrongState):
            pause_journey(tenant=world.tenant, journey=journey)
    clock.shift(2 * HOUR)
    world.does("bob", "start")
    world.tick()
    assert world.sent() == []
    with tenant_scope(world.tenant):
        resume_journey(tenant=world.tenant, journey=journey)
    world.tick()
    assert (world.entries(), world.sent()) == ([("ann", "done", "s", "")], [("ann", "planned", "")])


def test_archiving_lets_everybody_go(world: World, clock: Any) -> None:
    journey = world.publish(a_journey(a_wait(3600), a_send()))
    world.does("ann", "start")
    world.tick()
    with tenant_scope(world.tenant):
        archive_journey(tenant=world.tenant, journey=journey)
        with pytest.raises(JourneyWrongState):
            add_person(tenant=world.tenant, journey=journey, person=Subscriber.objects.of(world.tenant).get())
    world.tick()
    assert world.entries() == [("ann", "exited", "w", "archived")]


def test_who_is_under_way_keeps_their_version(world: World, clock: Any) -> None:
    journey = world.publish(a_journey(a_wait(3600), a_send(), exits=[{"event": "stop"}]))
    world.does("ann", "start")
    world.does("bob", "start")
    world.tick()
    with tenant_scope(world.tenant):
        update_journey(tenant=world.tenant, journey=journey, definition=a_journey(a_wait(60, None)))
        publish_journey(tenant=world.tenant, journey=journey)
    world.does("cho", "start")
    clock.shift(MINUTE)
    world.does("bob", "stop")
    world.tick()
    clock.shift(MINUTE)
    world.tick()
    assert [entry[:2] for entry in world.entries()] == [("ann", "active"), ("bob", "exited"), ("cho", "done")]
    with tenant_scope(world.tenant):
        versions = JourneyEntry.objects.of(world.tenant).order_by("pk").values_list("version", flat=True)
        assert list(versions) == [1, 1, 2]


def test_a_published_version_cannot_be_changed(world: World) -> None:
    world.publish(a_journey(a_send()))
    with pytest.raises(Exception, match="permission denied"), tenant_scope(world.tenant):
        JourneyVersion.objects.of(world.tenant).update(definition={})


def test_erasing_somebody_ends_their_journey(world: World, clock: Any) -> None:
    world.publish(a_journey(a_wait(60), a_send()))
    world.does("ann", "start")
    world.tick()
    world.does("ann", "start")  # waits to be taken
    with tenant_scope(world.tenant):
        person = Subscriber.objects.of(world.tenant).get()
        erase_subscriber(tenant=world.tenant, subscriber=person, actor="test")
    clock.shift(HOUR)
    world.tick()
    assert (world.entries(), world.sent()) == ([], [])
    with tenant_scope(world.tenant):
        assert WatchedEvent.objects.of(world.tenant).count() == 0


def test_a_person_gets_their_ways_and_the_erased_leave_none(world: World, clock: Any) -> None:
    journey = world.publish(a_journey(a_wait(60), a_send()))
    for name in ("ann", "bob"):
        world.does(name, "start")
    world.tick()
    clock.shift(MINUTE)
    world.tick()
    with tenant_scope(world.tenant):
        ann, bob = Subscriber.objects.of(world.tenant).order_by("external_id")
        [way] = ways_of(ann)["journeys"]
        erase_subscriber(tenant=world.tenant, subscriber=ann, actor="test")
        left = [JourneyEntry.objects.of(world.tenant).count(), JourneyVisit.objects.of(world.tenant).count()]
        [of_bob] = ways_of(bob)["journeys"]
    assert (way["journey_id"], way["journey"], way["state"]) == (journey.public_id, "Cart", "done")
    assert [(step["step"], step["result"]) for step in way["path"]] == [("w", "done"), ("s", "sent")]
    assert left == [1, 2]
    assert [step["step"] for step in of_bob["path"]] == ["w", "s"]


def test_by_hand_the_reentry_rule_holds(world: World) -> None:
    journey = world.publish(a_journey(a_wait(60), a_send(), trigger=None, reentry={"rule": "once"}))
    with tenant_scope(world.tenant):
        person, _is_new = upsert_subscriber(
            tenant=world.tenant, application=world.application, person={"external_id": "ann"}
        )
        add_person(tenant=world.tenant, journey=journey, person=person)
        with pytest.raises(JourneyEntryRefused):
            add_person(tenant=world.tenant, journey=journey, person=person)
    assert len(world.entries()) == 1


def test_a_loop_goes_on_until_the_person_leaves(world: World, clock: Any) -> None:
    world.publish(a_journey(a_send("s", "w"), a_wait(3600, "s"), exits=[{"event": "stop"}]))
    world.does("ann", "start")
    for _hour in range(3):
        world.tick()
        clock.shift(HOUR)
    world.does("ann", "stop")
    world.tick()
    assert (world.entries(), len(world.sent())) == ([("ann", "exited", "w", "exits[0]")], 3)


def test_events_of_one_tenant_start_nothing_of_another(world: World, other_application: Application) -> None:
    world.publish(a_journey(a_send()))
    theirs = World(other_application)
    theirs.meet("ann")
    theirs.does("ann", "start")
    world.tick()
    assert (world.entries(), theirs.entries()) == ([], [])
    with tenant_scope(theirs.tenant):
        assert not Journey.objects.of(theirs.tenant).exists()
