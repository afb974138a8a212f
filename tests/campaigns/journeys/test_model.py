"""The engine against a simple interpreter: random journeys, random deeds, a clock that jumps, workers that die before
they commit. Whatever happens, everybody is where the interpreter says, and was sent what it says."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
import time_machine
from django.db import OperationalError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.campaigns.journeys import engine, triggers
from apps.campaigns.journeys.models import JourneyVisit
from apps.messaging.models import Message
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope
from tests.campaigns.journeys.world import World, a_journey, a_send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker")]

START = datetime(2026, 1, 14, 12, tzinfo=UTC)
NAMES, DEEDS = ("ann", "bob"), ("start", "stop", "open")


@dataclass
class Way:
    """One entry in the interpreter's eyes."""

    person: str
    since: datetime
    step: str | None
    arrived: datetime
    state: str = "active"


@dataclass
class Interpreter:
    """Reads the journey as a person would: no batches, no database. tick() is one look at everybody."""

    steps: dict[str, dict[str, Any]]
    first: str
    rule: str
    days: int
    deeds: list[tuple[str, str, datetime]] = field(default_factory=list)
    untold: list[tuple[str, datetime]] = field(default_factory=list)
    ways: list[Way] = field(default_factory=list)
    entered: dict[str, datetime] = field(default_factory=dict)
    sent: Counter[str] = field(default_factory=Counter)

    def does(self, person: str, deed: str, now: datetime) -> None:
        self.deeds.append((person, deed, now))
        if deed == "start":
            self.untold.append((person, now))

    def tick(self, now: datetime) -> None:
        for person, since in self.untold:
            if since <= now - timedelta(days=1):
                continue
            last = self.entered.get(person)
            again = last is None or self.rule == "always"
            again = again or (self.rule == "after" and now >= last + timedelta(days=self.days))  # type: ignore[operator]
            if again and not any(way.person == person and way.state == "active" for way in self.ways):
                self.ways.append(Way(person, since, self.first, now))
                self.entered[person] = now
        self.untold.clear()
        for way in self.ways:
            while way.state == "active" and self._moves(way, now):
                way.arrived = now

    def _did(self, way: Way, deed: str) -> bool:
        return any(who == way.person and what == deed and at >= way.since for who, what, at in self.deeds)

    def _moves(self, way: Way, now: datetime) -> bool:
        if self._did(way, "stop"):
            way.state = "exited"
            return False
        assert way.step is not None
        step = self.steps[way.step]
        following = step.get("next")
        if step["kind"] == "wait" and now < way.arrived + timedelta(seconds=step["seconds"]):
            return False
        if step["kind"] == "send":
            self.sent[way.person] += 1
        if step["kind"] == "branch":
            following = step["then"] if self._did(way, "open") else step["else"]
        if following is None:
            way.state = "done"
            return False
        way.step = following
        return True


@st.composite
def journeys(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Steps that lead forwards, and waits that may lead back."""
    kinds = draw(st.lists(st.sampled_from(["wait", "send", "branch"]), min_size=1, max_size=5))
    steps: list[dict[str, Any]] = []
    for number, kind in enumerate(kinds):
        step_id = f"s{number}"
        following = f"s{number + 1}" if number + 1 < len(kinds) else None
        if kind == "wait":
            back = draw(st.sampled_from([following, following, "s0"]))
            steps.append({"id": step_id, "kind": "wait", "seconds": draw(st.sampled_from([60, 3_600])), "next": back})
            if back != following and number + 1 < len(kinds):
                break
        elif kind == "send":
            steps.append(a_send(step_id, following))
        else:
            other = draw(st.sampled_from([following, None]))
            steps.append({"id": step_id, "kind": "branch", "if": {"event": "open"}, "then": other, "else": following})
    return steps


_ACTIONS = st.one_of(
    st.tuples(st.just("does"), st.sampled_from(NAMES), st.sampled_from(DEEDS)),
    st.tuples(st.just("jump"), st.sampled_from([1, 59, 60, 3_600, 86_400]), st.none()),
    st.tuples(st.just("tick"), st.none(), st.none()),
    st.tuples(st.just("crash"), st.booleans(), st.none()),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=journeys(),
    rule=st.sampled_from(["once", "after", "always"]),
    actions=st.lists(_ACTIONS, min_size=3, max_size=15),
)
def test_everybody_is_where_the_interpreter_says(
    application: Application, steps: list[dict[str, Any]], rule: str, actions: list[tuple[str, Any, Any]]
) -> None:
    world = World(application)
    model = Interpreter({step["id"]: step for step in steps}, steps[0]["id"], rule, 1)
    reentry = {"rule": rule, "days": 1} if rule == "after" else {"rule": rule}
    with time_machine.travel(START, tick=False) as clock, transaction.atomic():
        world.publish(a_journey(*steps, reentry=reentry, exits=[{"event": "stop"}]))
        for action, first, second in [*actions, ("tick", None, None)]:
            now = datetime.now(UTC)
            if action == "does":
                model.does(first, second, now)
                world.does(first, second)
                clock.shift(timedelta(seconds=1))  # no two deeds at once
            elif action == "jump":
                clock.shift(timedelta(seconds=first))
            elif action == "crash":
                crash(world, while_moving=first)
            else:
                world.tick()
                model.tick(now)
                compare(world, model)
        transaction.set_rollback(True)  # each example leaves nothing behind


def crash(world: World, *, while_moving: bool) -> None:
    """A worker dies with its transaction open, after all its work and before the commit."""
    died = OperationalError("killed")
    if while_moving:
        with mock.patch.object(engine, "_save", side_effect=died):
            engine.advance_journeys(seconds=60)
    else:
        with mock.patch.object(triggers, "_wake", side_effect=died), contextlib.suppress(OperationalError):
            triggers.take_events()


def compare(world: World, model: Interpreter) -> None:
    found = [(who, state, step) for who, state, step, _why in world.entries()]
    assert found == [(way.person, way.state, way.step) for way in model.ways]
    assert Counter(who for who, _state, _why in world.sent()) == model.sent
    with tenant_scope(world.tenant):
        sends = JourneyVisit.objects.of(world.tenant).filter(message_id__isnull=False)
        assert set(sends.values_list("message_id", flat=True)) == set(
            Message.objects.of(world.tenant).values_list("pk", flat=True)
        )
