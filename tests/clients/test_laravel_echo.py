"""Unmodified npm `laravel-echo` on pusher-js, as a Laravel page uses it: its names, its channels, its whispers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.clients.node import NodeClient

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("live")]

Start = Callable[..., NodeClient]
#: What Laravel calls an event that Echo knows as "OrderShipped".
EVENT = "App\\Events\\OrderShipped"


@pytest.fixture(params=["pusher", "reverb"])
def page(request: pytest.FixtureRequest, node_client: Start) -> Callable[..., NodeClient]:
    """`page("ada")`: a connected browser of that user, with Echo set up the one or the other way."""

    def opened(user: str, **options: bool) -> NodeClient:
        client = node_client(user, **options)
        socket_id = client.connected()
        assert client.do("echo", broadcaster=request.param) == socket_id
        return client

    return opened


def joined(client: NodeClient, how: str, channel: str) -> None:
    client.do("echoOn", how=how, channel=channel, event="OrderShipped")
    client.expect("echo", channel=channel, what="subscribed")


def trigger(client: NodeClient, channel: str, data: object) -> None:
    client.do("server", method="trigger", given=[channel, EVENT, data])


def test_here_joining_and_leaving_follow_who_is_there(page: Start) -> None:
    ada, bo = page("ada"), page("bo")
    joined(ada, "join", "room")
    assert ada.expect("echo", what="here")["users"] == ["ada"]
    joined(bo, "join", "room")
    assert bo.expect("echo", what="here")["users"] == ["ada", "bo"]
    assert ada.expect("echo", what="joining")["user"] == "bo"
    trigger(ada, "presence-room", {"order": 7})
    for client in (ada, bo):
        assert client.expect("echo", channel="room", what="heard")["data"] == {"order": 7}
    bo.do("echoLeave", channel="room")
    assert ada.expect("echo", what="leaving")["user"] == "bo"


def test_a_whisper_reaches_the_others_only(page: Start) -> None:
    ada, bo = page("ada"), page("bo")
    for client in (ada, bo):
        joined(client, "private", "chat")
    bo.do("echoWhisper", channel="chat", data={"typing": True})
    assert ada.expect("echo", channel="chat", what="whispered")["data"] == {"typing": True}
    trigger(ada, "private-chat", {"order": 1})
    for client in (ada, bo):
        client.expect("echo", channel="chat", what="heard")
    assert bo.seen("echo", what="whispered") == []


def test_public_and_encrypted_channels_bring_laravels_events(page: Start) -> None:
    ada = page("ada")
    for how, channel, name in (("channel", "orders", "orders"), ("encryptedPrivate", "safe", "private-encrypted-safe")):
        joined(ada, how, channel)
        trigger(ada, name, {"order": name})
        assert ada.expect("echo", channel=channel, what="heard")["data"] == {"order": name}


def test_a_refused_private_channel_is_an_error_to_the_page(page: Start) -> None:
    mallory = page("mallory", wrong=True)
    mallory.do("echoOn", how="private", channel="chat", event="OrderShipped")
    assert mallory.expect("echo", channel="chat", what="error")["status"] == 401
