"""SIGTERM on a real process: not ready from the first moment on, and its connections leave one after the other."""

from __future__ import annotations

import json
from contextlib import ExitStack, closing
from http.client import HTTPConnection

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.live import Live, LiveServer, LiveTenant

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("live")]
COUNT = 12


@pytest.mark.parametrize("adapter", ["daphne", "uvicorn"])
def test_a_stopping_gateway_is_not_ready_and_closes_spread_over_the_window(
    adapter: str, live: Live, live_tenant: LiveTenant
) -> None:
    server = live.server("--server", adapter, "--drain", "4")
    with ExitStack() as stack:
        clients = [opened(stack, server, live_tenant) for _ in range(COUNT)]
        probe = stack.enter_context(closing(HTTPConnection("127.0.0.1", server.port, timeout=30)))
        assert ready(probe) == 200
        server.process.terminate()
        assert code_of(clients[0]) == 4200
        # The others still have their seconds: the last one is served while the first has gone.
        clients[-1].send('{"event":"pusher:ping"}')
        assert json.loads(clients[-1].recv(timeout=20))["event"] == "pusher:pong"
        assert ready(probe) == 503
        assert [code_of(client) for client in clients[1:]] == [4200] * (COUNT - 1)
    assert server.stop() == 0


def opened(stack: ExitStack, server: LiveServer, tenant: LiveTenant) -> ClientConnection:
    address = f"ws://127.0.0.1:{server.port}/app/{tenant.key}?protocol=7"
    client = stack.enter_context(connect(address, compression=None, close_timeout=1))
    client.recv(timeout=20)
    return client


def code_of(client: ClientConnection) -> int:
    """With which it is closed."""
    with pytest.raises(ConnectionClosed) as closed:
        client.recv(timeout=20)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


def ready(probe: HTTPConnection) -> int:
    """On a connection that was open before, since new ones are refused."""
    probe.request("GET", "/readyz")
    answer = probe.getresponse()
    answer.read()
    return answer.status
