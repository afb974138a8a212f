"""What only real sockets show, on both servers: slow readers, broken framing, and stopping."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from pusher import Pusher
from redis import Redis
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from apps.realtime import allowances
from tests.live import Live, LiveServer, LiveTenant

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("live")]


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def server(request: pytest.FixtureRequest, live: Live) -> Iterator[LiveServer]:
    started = live.server("--server", request.param, "--drain", "0.2")
    yield started
    assert started.stop() == 0


@contextmanager
def joined(server: LiveServer, tenant: LiveTenant, channel: str, **options: Any) -> Iterator[ClientConnection]:
    address = f"ws://127.0.0.1:{server.port}/app/{tenant.key}?protocol=7"
    with connect(address, compression=None, close_timeout=1, **options) as client:
        client.recv(timeout=20)
        client.send(json.dumps({"event": "pusher:subscribe", "data": {"channel": channel}}))
        assert "subscription_succeeded" in str(client.recv(timeout=20))
        yield client


def small_window(server: LiveServer) -> socket.socket:
    """A socket that takes little while nobody reads."""
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    slow.connect(("127.0.0.1", server.port))
    return slow


def test_a_reader_that_stops_is_closed_and_costs_the_others_nothing(
    server: LiveServer, live_tenant: LiveTenant
) -> None:
    pusher = Pusher(
        app_id=live_tenant.application_id, key=live_tenant.key, secret=live_tenant.secret,
        host="127.0.0.1", port=server.port, ssl=False,
    )  # fmt: skip
    count, data = 600, "x" * 10_000
    # max_queue=1: the client's own buffer must not do the reading for it.
    with (
        joined(server, live_tenant, "flood", sock=small_window(server), max_queue=1) as slow,
        joined(server, live_tenant, "flood", max_queue=None) as quick,
    ):
        for number in range(count):
            pusher.trigger("flood", f"n{number}", data)
        names = [json.loads(quick.recv(timeout=20))["event"] for _ in range(count)]
        assert names == [f"n{number}" for number in range(count)]
        assert len(read_to_the_end(slow)) < count


def test_a_reader_that_stops_skips_to_the_newest_where_that_is_all_that_counts(
    server: LiveServer, live_tenant: LiveTenant, live: Live
) -> None:
    server.switch(live_tenant, latest_only_channels="latest-*")
    pusher = Pusher(
        app_id=live_tenant.application_id, key=live_tenant.key, secret=live_tenant.secret,
        host="127.0.0.1", port=server.port, ssl=False,
    )  # fmt: skip
    pusher.trigger("elsewhere", "first", "1")
    with Redis.from_url(live.valkey_url) as valkey:
        for tenant_id in allowances.asked(valkey):
            allowances.offer(valkey, tenant_id, messages=100_000)
    count, data = 600, "x" * 10_000
    with (
        joined(server, live_tenant, "latest-a", sock=small_window(server), max_queue=1) as slow,
        joined(server, live_tenant, "latest-a", max_queue=None) as quick,
    ):
        for number in range(count):
            pusher.trigger("latest-a", f"n{number}", data)
        while json.loads(quick.recv(timeout=20))["event"] != f"n{count - 1}":
            pass
        heard = []
        while not heard or heard[-1] != count - 1:
            heard.append(int(json.loads(slow.recv(timeout=20))["event"][1:]))
        assert heard == sorted(set(heard))
        assert len(heard) < count
        slow.send('{"event":"pusher:ping"}')
        assert "pusher:pong" in str(slow.recv(timeout=20))


def read_to_the_end(client: ClientConnection) -> list[object]:
    """What arrives until the server's end of the connection is closed."""
    received: list[object] = []
    with suppress(ConnectionClosed):
        while True:
            received.append(client.recv(timeout=20))
    return received


@pytest.mark.parametrize(
    "raw", [b"\x81\x02hi", b"\xc1\x80\x00\x00\x00\x00", b"\x81\xff\x00\x00\x00\x00\x7f\xff\xff\xffmask"]
)
def test_broken_framing_ends_that_connection_alone(server: LiveServer, live_tenant: LiveTenant, raw: bytes) -> None:
    with joined(server, live_tenant, "news") as bad, joined(server, live_tenant, "news") as good:
        bad.socket.sendall(raw)
        assert read_to_the_end(bad) == []
        good.send('{"event":"pusher:ping"}')
        assert "pusher:pong" in str(good.recv(timeout=20))


def test_a_request_that_is_no_handshake_is_refused(server: LiveServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as plain:
        plain.sendall(b"GET /app/k HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        assert plain.recv(4_096).startswith(b"HTTP/1.1 400")


def test_the_control_plane_answers_beside_it(server: LiveServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert plain.recv(4_096).startswith(b"HTTP/1.1 200")
