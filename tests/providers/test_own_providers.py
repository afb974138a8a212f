"""The providers that need no network of somebody else's, and the rules that every provider keeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import redis

from apps.core import valkey
from apps.providers.base import Notification, Outcome, Push, Result, Scope, Sender
from apps.providers.errors import UnknownProvider
from apps.providers.registry import open_provider, provider_names
from apps.realtime import keys

OWN = ["console", "realtime"]


@pytest.fixture
def sender(region: str, clean_valkey: None) -> Sender:
    return Sender(region, 1, "4711")


def push(recipient: str, identity: str = "") -> Push:
    shown = Notification("Hi", "News", url="https://shop.example/", data={"sku": 7})
    return Push(identity or f"id-{recipient}", recipient, shown, "msg_1", "cmp_1", datetime(2026, 5, 20, tzinfo=UTC))


@pytest.fixture
def connect(region: str, sender: Sender) -> Callable[[str], redis.client.PubSub]:
    """Puts somebody on a user's own channel, as a gateway does."""

    def connect(user: str) -> redis.client.PubSub:
        listener = valkey.connect(region).pubsub()
        listener.subscribe(keys.topic(sender.application_id, f"#server-to-user-{user}"))
        assert listener.get_message(timeout=5)
        return listener

    return connect


@pytest.mark.parametrize("name", OWN)
def test_a_provider_answers_for_each_push_in_order(name: str, sender: Sender) -> None:
    outcomes = open_provider(name, sender).send([push("ann"), push("bob"), push("ann")])
    assert [outcome.push_id for outcome in outcomes] == ["id-ann", "id-bob", "id-ann"]


@pytest.mark.parametrize("name", OWN)
def test_a_provider_takes_no_push_at_all(name: str, sender: Sender) -> None:
    assert open_provider(name, sender).send([]) == []


@pytest.mark.parametrize("name", OWN)
def test_a_provider_survives_a_recipient_that_cannot_be(name: str, sender: Sender) -> None:
    [outcome] = open_provider(name, sender).send([push("\n" * 300)])
    assert outcome.result in {Result.ACCEPTED, Result.REJECTED}


def test_realtime_says_who_was_there(sender: Sender, connect: Callable[[str], redis.client.PubSub]) -> None:
    listener = connect("ann")
    outcomes = open_provider("realtime", sender).send([push("ann"), push("bob")])
    listener.close()
    assert outcomes == [
        Outcome("id-ann", Result.ACCEPTED),
        Outcome("id-bob", Result.REJECTED, Scope.DEVICE, "not_connected"),
    ]


def test_realtime_sends_the_notification_to_the_users_own_channel(
    sender: Sender, connect: Callable[[str], redis.client.PubSub]
) -> None:
    listener = connect("ann")
    open_provider("realtime", sender).send([push("ann")])
    found = listener.get_message(timeout=5)
    listener.close()
    assert found is not None
    event = json.loads(found["data"].partition(b"\n")[2])
    data = json.loads(event["data"])
    assert (event["event"], event["channel"]) == ("notification", "#server-to-user-ann")
    assert (data["message_id"], data["campaign_id"], data["title"], data["data"]) == (
        "msg_1",
        "cmp_1",
        "Hi",
        {"sku": 7},
    )


def test_realtime_without_its_broker_is_unavailable_and_not_unknown(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = redis.Redis(unix_socket_path="/nonexistent/valkey.sock")
    monkeypatch.setattr(valkey, "connect", lambda _region: nobody)
    [outcome] = open_provider("realtime", sender).send([push("ann")])
    assert (outcome.result, outcome.reason) == (Result.UNAVAILABLE, "broker_unavailable")


def test_a_provider_nobody_has_installed_is_refused(sender: Sender) -> None:
    assert set(OWN) <= set(provider_names())
    with pytest.raises(UnknownProvider):
        open_provider("pigeon", sender)
