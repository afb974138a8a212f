"""Clients that are cut, round after round: what one round costs a server, the next one uses again.

Memory of a process does not shrink when connections end, since Python's allocator keeps it. A leak is told from that
by repeating: a round that leaks adds to the one before, as each did by 11 KB a connection while nobody asked for a
collection. `make bench ONLY=connect.closes` does it with thousands.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Iterator

import psutil
import pytest
from redis import Redis

from apps.realtime import keys
from tests.live import Live, LiveServer, LiveTenant
from tests.realtime.test_cluster import eventually
from tests.realtime.test_no_leak import masked

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("live")]
CLIENTS, ROUNDS = 300, 4
_RESET = struct.pack("ii", 1, 0)
#: What two rounds may add, in bytes: a fifth of what a connection costs, for each of theirs.
_NOISE = 2 * CLIENTS * 24 * 1024 // 5


@pytest.fixture(params=["daphne", "uvicorn"])
def server(request: pytest.FixtureRequest, live: Live) -> Iterator[LiveServer]:
    started = live.server("--server", request.param, "--drain", "0.2")
    yield started
    assert started.stop() == 0


async def cut_round(server: LiveServer, tenant: LiveTenant) -> None:
    """So many clients, each on a channel of all and on one of its own; then all are gone without a word."""
    clients = [await subscribed(server, tenant, number) for number in range(CLIENTS)]
    for writer in clients:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()


async def subscribed(server: LiveServer, tenant: LiveTenant, number: int) -> asyncio.StreamWriter:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(
        f"GET /app/{tenant.key}?protocol=7 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    for channel in ("room", f"own-{number}"):
        writer.write(masked(json.dumps({"event": "pusher:subscribe", "data": {"channel": channel}}).encode()))
    async with asyncio.timeout(60):
        await reader.readuntil(f'"channel":"own-{number}"'.encode())
    return writer


async def until_empty(valkey_url: str, tenant: LiveTenant) -> None:
    """Until the cluster knows of no connection and no channel of the application."""
    with Redis.from_url(valkey_url) as client:

        async def emptied() -> bool:
            places = [keys.occupied(tenant.application_id, each) for each in range(keys.PARTITIONS)]
            return not any(map(client.hlen, places))

        await eventually(emptied)
    await asyncio.sleep(3.5)  # Daphne looks once a second for what has ended, upkeep every two


async def test_memory_reaches_a_plateau_however_often_clients_are_cut(server: LiveServer, live: Live) -> None:
    tenant, process, sizes = live.tenant("Cut"), psutil.Process(server.process.pid), []
    for _round in range(ROUNDS):
        await cut_round(server, tenant)
        await until_empty(live.valkey_url, tenant)
        sizes.append(process.memory_info().rss)
    assert sizes[-1] - sizes[1] < _NOISE, f"{[size // 1024 for size in sizes]} KB"
    assert len(process.net_connections()) < CLIENTS, "sockets were left open"
