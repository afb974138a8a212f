"""A push for a device says everything that the push for its owner says."""

from __future__ import annotations

from dataclasses import fields

from apps.audience.reach import Reached
from apps.messaging.models import Message
from apps.messaging.sending import targets
from apps.providers.base import Endpoint, Needs, Notification, Push
from tests.providers.factories import SENT_AT

_OF_THE_DEVICE = {"id", "endpoint", "ttl", "unsubscribe_url"}


def test_nothing_of_a_push_is_lost_on_the_way_to_a_device() -> None:
    filled = {
        field.name: f"some {field.name}" for field in fields(Push) if field.name not in {*_OF_THE_DEVICE, "id"}
    } | {"id": "0" * 32, "notification": Notification("a", "b"), "sent_at": SENT_AT, "urgent": False}
    push = Push(**filled)  # type: ignore[arg-type]
    device = Reached(1, 2, "address", "url", "sandbox", "public", "secret", "sender")
    made = targets._push_for(Message(tenant_id=1), push, device, 60, Needs(unsubscribes=True))
    for field in fields(Push):
        if field.name not in _OF_THE_DEVICE:
            assert getattr(made, field.name) == getattr(push, field.name), field.name
    assert made.endpoint == Endpoint("address", "url", "sandbox", "public", "secret", "sender")
    assert (made.ttl, made.id == push.id) == (60, False)
