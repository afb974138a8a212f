"""Two workers at once: nobody comes in twice, no step is done twice, nobody is left behind."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from unittest import mock

import pytest
from django.db import connections

from apps.campaigns.journeys import engine, triggers
from apps.tenants.models import Application
from tests.campaigns.journeys.world import World, a_journey, a_send

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("as_worker")]

WORKERS, PEOPLE = 3, 60


def test_workers_at_once_send_each_person_one_message_per_step(application: Application) -> None:
    world = World(application)
    world.publish(a_journey(a_send("s", "t"), a_send("t"), reentry={"rule": "once"}))
    for number in range(PEOPLE):
        world.does(f"p-{number}", "start")
        world.does(f"p-{number}", "start")
    together = Barrier(WORKERS)

    def work(_worker: int) -> None:
        try:
            together.wait(30)
            for _round in range(12):
                world.tick()
        finally:
            connections.close_all()

    with mock.patch.object(triggers, "BATCH", 7), mock.patch.object(engine, "BATCH", 5):
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(work, range(WORKERS)))
        world.tick()
    assert Counter(who for who, *_ in world.entries()) == {f"p-{number}": 1 for number in range(PEOPLE)}
    assert {state for _who, state, *_ in world.entries()} == {"done"}
    assert Counter(who for who, *_ in world.sent()) == {f"p-{number}": 2 for number in range(PEOPLE)}
