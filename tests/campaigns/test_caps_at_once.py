"""Two connections that decide under a frequency cap at once: together they send no more than it allows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import pytest
from django.db import connections

from apps.campaigns import planning
from apps.campaigns.journeys import sends
from apps.campaigns.journeys.engine import advance_batch, advance_journeys
from apps.campaigns.journeys.triggers import take_events
from apps.campaigns.services import create_campaign, schedule_campaign
from apps.campaigns.services.editing import Plan
from apps.campaigns.services.running import start_due_campaigns
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope
from tests.campaigns.journeys.world import World, a_journey, a_send
from tests.sending import make_people

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("as_worker")]

CAP = {"count": 2, "days": 1}
PEOPLE = 40


def at_once(*workers: Callable[[], object]) -> None:
    together = Barrier(len(workers))

    def work(worker: Callable[[], object]) -> None:
        try:
            together.wait(30)
            worker()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(workers)) as pool:
        list(pool.map(work, workers))


def planned(world: World) -> Counter[str]:
    return Counter(who for who, state, _reason in world.sent() if state == "planned")


def test_runs_and_journeys_planned_at_once_share_a_cap(application: Application) -> None:
    """Three runs and two journeys want everybody; each person gets two of the five."""
    names = make_people(application, PEOPLE)
    world = World(application)
    with tenant_scope(application.tenant):
        for number in range(3):
            plan = Plan(
                name=f"C{number}", audience={"all": True}, routes=["console"], content={"en": {"title": "Hi"}},
                frequency_cap=CAP,
            )  # fmt: skip
            made = create_campaign(tenant=application.tenant, application=application, plan=plan)
            schedule_campaign(tenant=application.tenant, campaign=made, send_at=None)
    for number in range(2):
        world.publish(a_journey(a_send(frequency_cap=CAP)), name=f"J{number}")
    for name in names:
        world.does(name, "start")
    take_events()
    assert start_due_campaigns() == 3

    def plan_runs() -> None:
        planning.plan_started_runs(seconds=30)

    def move_journeys() -> None:
        advance_journeys(seconds=30)

    at_once(plan_runs, move_journeys, plan_runs, move_journeys, plan_runs)
    advance_journeys(seconds=30)
    planning.plan_started_runs(seconds=30)

    assert planned(world) == dict.fromkeys(names, 2)
    assert Counter(reason for _who, _state, reason in world.sent()) == {"": 2 * PEOPLE, "frequency_cap": 3 * PEOPLE}


def test_without_holding_the_frequency_the_cap_is_exceeded(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the test above can fail: both decide before either commits, unless one waits for the other."""
    [name] = make_people(application, 1)
    world = World(application)
    meeting = Barrier(2)
    cap = {"count": 1, "days": 1}
    journeys = [world.publish(a_journey(a_send(frequency_cap=cap)), name=f"J{number}") for number in range(2)]
    world.does(name, "start")
    take_events()
    write = sends._write

    def write_together(*given: object) -> object:
        meeting.wait(30)
        return write(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(sends, "hold_frequency", lambda _application: None)
    monkeypatch.setattr(sends, "_write", write_together)
    at_once(*(partial(advance_batch, application.tenant_id, journey.pk) for journey in journeys))
    assert planned(world) == {name: 2}
