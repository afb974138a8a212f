"""Journeys on their pages: written, published, followed, tried."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from apps.campaigns.journeys.models import Journey, JourneyEntry
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope
from tests.campaigns.journeys.world import World, a_journey, a_send, a_wait

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker")]

BRANCH = {"id": "b", "kind": "branch", "if": {"event": "open"}, "then": None, "else": "s"}


@pytest.fixture
def world(application: Application) -> World:
    return World(application)


def save(client: Client, url: str, definition: Any, name: str = "Cart") -> Any:
    return client.post(url, {"name": name, "definition": json.dumps(definition)})


def test_a_journey_is_written_published_and_followed(owner_client: Client, world: World) -> None:
    answer = save(owner_client, "/journeys/new", a_journey(a_wait(60, "b"), BRANCH, a_send()))
    page = answer["Location"]
    assert "Did “open” since coming in" in owner_client.get(page).content.decode()
    owner_client.post(f"{page}publish")
    world.does("ann", "start")
    world.tick()
    shown = owner_client.get(page).content.decode()
    assert "1 here" in shown
    people = owner_client.get(f"{page}people?state=active&step=w").content.decode()
    assert "ann" in people
    assert "ann" not in owner_client.get(f"{page}people?state=done").content.decode()


def test_what_is_wrong_is_said_with_its_place(owner_client: Client, world: World) -> None:
    shown = save(owner_client, "/journeys/new", a_journey(a_wait(1))).content.decode()
    assert "steps[0].seconds" in shown
    with tenant_scope(world.tenant):
        assert not Journey.objects.of(world.tenant).exists()


def test_versions_show_what_changed(owner_client: Client, world: World) -> None:
    journey = world.publish(a_journey(a_wait(60, None)))
    page = f"/journeys/{journey.public_id}/"
    save(owner_client, f"{page}edit", a_journey(a_wait(120, None)))
    owner_client.post(f"{page}publish")
    shown = owner_client.get(f"{page}versions").content.decode()
    assert "<ins>+       &quot;seconds&quot;: 120</ins>" in shown
    assert "<del>−       &quot;seconds&quot;: 60</del>" in shown


def test_trying_shows_the_way_and_writes_nothing(owner_client: Client, world: World) -> None:
    journey = world.publish(a_journey(a_wait(60), a_send()))
    world.meet("ann")
    shown = owner_client.get(f"/journeys/{journey.public_id}/try?external_id=ann").content.decode()
    assert "sent" in shown
    assert "no subscriber" in owner_client.get(f"/journeys/{journey.public_id}/try?external_id=x").content.decode()
    with tenant_scope(world.tenant):
        assert not JourneyEntry.objects.of(world.tenant).exists()


def test_somebody_is_put_in_by_hand_and_a_journey_is_stopped(owner_client: Client, world: World) -> None:
    journey = world.publish(a_journey(a_wait(60), a_send()))
    world.meet("ann")
    page = f"/journeys/{journey.public_id}/"
    owner_client.post(f"{page}add", {"external_id": "ann"})
    owner_client.post(f"{page}pause")
    assert "Paused" in owner_client.get("/journeys/?status=paused").content.decode()
    owner_client.post(f"{page}resume")
    owner_client.post(f"{page}archive")
    world.tick()
    assert world.entries() == [("ann", "exited", "w", "archived")]


def test_who_has_no_journey_is_told_what_one_is(owner_client: Client, application: Application) -> None:
    assert "No journey yet" in owner_client.get("/journeys/").content.decode()
