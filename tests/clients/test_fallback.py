"""Unmodified pusher-js by its HTTP transports, behind a balancer that spreads its requests over two gateways."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.clients.balancer import balancer
from tests.clients.node import NodeClient
from tests.live import Live, LiveServer

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("live")]

Start = Callable[..., NodeClient]


@pytest.fixture(scope="module")
def balanced(gateway: LiveServer, live: Live) -> Iterator[int]:
    """A port. Behind it: one Daphne, one uvicorn."""
    other = live.server("--server", "uvicorn", "--drain", "0.2")
    with balancer([gateway.port, other.port]) as port:
        yield port
    assert other.stop() == 0


@pytest.fixture(params=["xhr_streaming", "xhr_polling"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def start(transport: str, node_client: Start, balanced: int) -> Start:
    return partial(node_client, transport=transport, client_port=balanced)


def test_everything_works_without_websockets(start: Start, node_client: Start, transport: str) -> None:
    ada, bob = start("ada"), node_client("bob")
    socket = ada.connected()
    assert ada.do("transport") == transport
    bob.connected()
    room = f"presence-{socket.replace('.', '-')}"
    assert ada.subscribed(room)["count"] == 1
    bob.subscribed(room)
    assert ada.expect("event", event="pusher:member_added")["data"]["id"] == "bob"
    ada.do("clientEvent", channel=room, event="client-here", data={"n": 1})
    assert bob.expect("sender", channel=room)["user"] == "ada"
    bob.do("clientEvent", channel=room, event="client-typing", data={"n": 2})
    assert ada.expect("event", event="client-typing")["data"] == {"n": 2}
    ada.do("signin")
    ada.do("server", method="sendToUser", given=["ada", "notification", {"title": "é \u2028"}])
    assert ada.expect("user", event="notification")["data"] == {"title": "é \u2028"}
    bob.do("disconnect")
    assert ada.expect("event", event="pusher:member_removed")["data"]["id"] == "bob"


def test_a_long_stream_of_events_arrives_whole_and_in_order(start: Start) -> None:
    client = start()
    socket = client.connected()
    channel = f"long-{socket.replace('.', '-')}"
    client.subscribed(channel)
    for number in range(80):  # more than pusher-js reads from one response
        client.do("server", method="trigger", given=[channel, "n", {"n": number, "x": "é" * 3_000}])
    assert [client.expect("event", event="n")["data"]["n"] for _ in range(80)] == list(range(80))
    assert client.seen("state") == []


def test_a_wrong_signature_and_an_unknown_key_are_said(start: Start, transport: str) -> None:
    client = start(wrong=True)
    client.connected()
    client.do("subscribe", channel="private-vault")
    client.expect("event", channel="private-vault", event="pusher:subscription_error")
    stranger = start()
    stranger.do("use", appId="1", key="nobody", secret="s", port=stranger.port, user="ada", transport=transport)
    stranger.do("connect")
    assert stranger.expect("error")["error"]["code"] == 4001


def test_terminated_users_stay_away(start: Start) -> None:
    client = start("mallory")
    client.connected()
    client.do("signin")
    client.do("server", method="terminateUserConnections", given=["mallory"])
    client.expect("state", state="disconnected")
