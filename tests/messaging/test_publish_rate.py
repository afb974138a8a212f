"""A campaign over our own network publishes under its application's rate, together with everybody else: it waits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from apps.core import clock, valkey
from apps.messaging.models import Chunk, Delivery, Message
from apps.messaging.sending import gates
from apps.messaging.sending.pipeline import send_due_chunks
from apps.messaging.services import accept_message
from apps.realtime import keys, pacing
from apps.realtime.errors import PublishRateExceeded
from apps.realtime.pacing import Room
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope
from apps.tenants.services import update_application_settings

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker", "clean_valkey")]


@pytest.fixture
def connected(application: Application, people: list[str]) -> Iterator[redis.client.PubSub]:
    """Everybody is there."""
    listener = valkey.connect(application.tenant.home_region).pubsub()
    listener.subscribe(*(keys.topic(application.application_id, f"#server-to-user-{name}") for name in people))
    for _ in people:
        assert listener.get_message(timeout=5)
    yield listener
    listener.close()


def _limited_to(application: Application, rate: int) -> None:
    with tenant_scope(application.tenant):
        update_application_settings(
            tenant=application.tenant, application=application, settings={"max_publishes_per_second": rate}
        )


def _message(application: Application, people: list[str]) -> Message:
    with tenant_scope(application.tenant):
        return accept_message(
            tenant=application.tenant, application=application, routes=["realtime"], external_ids=people,
            content={"en": {"title": "Hi"}},
        )  # fmt: skip


def _rows(message: Message) -> list[tuple[str, int]]:
    with tenant_scope(message.tenant_id):
        rows = Delivery.objects.of(message.tenant_id).filter(message=message).order_by("id")
        return list(rows.values_list("state", "attempts"))


def test_a_campaign_sends_what_the_rate_leaves_and_then_the_rest(
    application: Application, people: list[str], connected: redis.client.PubSub, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = _message(application, people)
    rooms = iter([Room(0.0, 1), Room(600.0, 0), Room(0.0, 5), Room(0.0, 5)])
    monkeypatch.setattr(gates, "room_for_bulk", lambda *_given: next(rooms))
    send_due_chunks(seconds=30)
    assert _rows(message) == [("accepted", 1), ("planned", 0), ("planned", 0)]
    with tenant_scope(message.tenant_id):
        chunks = Chunk.objects.of(message.tenant_id)
        assert chunks.get(message=message).due_at > clock.now()
        chunks.update(due_at=clock.now(), is_ready=True)
    send_due_chunks(seconds=30)
    assert _rows(message) == [("accepted", 1)] * 3


def test_a_campaign_leaves_half_of_the_rate_to_others(application: Application) -> None:
    room = pacing.room_for_bulk(application.tenant.home_region, application.application_id, 1_000)
    assert room == Room(0.0, 500)


def test_what_a_campaign_published_is_missing_to_others(
    application: Application, people: list[str], connected: redis.client.PubSub
) -> None:
    client, application_id = valkey.connect(application.tenant.home_region), application.application_id
    _message(application, people)
    send_due_chunks(seconds=30)
    assert float(client.hget(keys.publish_rate(application_id), "left") or 0) < 5_000
    pacing.count_anyway(client, application_id, 5_000, 1_000_000)
    with pytest.raises(PublishRateExceeded):
        pacing.take(client, application_id, 5_000, 1)


def test_who_is_not_connected_costs_nothing_of_the_rate(application: Application, people: list[str]) -> None:
    message = _message(application, people)
    send_due_chunks(seconds=30)
    assert [state for state, _attempts in _rows(message)] == ["rejected"] * 3
    client = valkey.connect(application.tenant.home_region)
    assert client.hget(keys.publish_rate(application.application_id), "left") == b"5000"


def test_an_application_that_may_not_publish_keeps_the_campaign_waiting(
    application: Application, people: list[str], connected: redis.client.PubSub
) -> None:
    _limited_to(application, 0)
    message = _message(application, people)
    send_due_chunks(seconds=30)
    assert _rows(message) == [("planned", 0)] * 3


def test_a_debt_is_worked_off_before_anybody_publishes_again(application: Application) -> None:
    region, application_id = application.tenant.home_region, application.application_id
    client = valkey.connect(region)
    pacing.count_anyway(client, application_id, 100, 1_000_000)
    room = pacing.room_for_bulk(region, application_id, 100)
    assert room is not None
    assert (room.most, room.wait > 9_000) == (0, True)
    assert client.pttl(keys.publish_rate(application_id)) > 9_000_000
