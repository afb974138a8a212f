"""Connections that are cut, again and again: nothing of ours stays behind."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import struct
import weakref
from collections import Counter
from contextlib import suppress
from types import SimpleNamespace

from apps.realtime.connection import Connection, Subscription
from apps.realtime.engine import Engine
from apps.realtime.hub import LiveChannel
from apps.realtime.leftovers import Leftovers
from apps.realtime.protocol.frames import Opcode, frame
from apps.realtime.servers.uvicorn import FramesProtocol
from apps.tenants.queries import ApplicationRecord
from tests.realtime.test_cluster import eventually
from tests.realtime.wire import World, key_of, record, world

_OURS = (Connection, Subscription, LiveChannel, FramesProtocol)
#: Reads of a client that stays until the first publication has come.
_UNTIL_PUBLISHED = 3
_RESET = struct.pack("ii", 1, 0)


async def cut_client(port: int, shop: ApplicationRecord, *, reads: int) -> None:
    """Connects, subscribes to a channel of many and to one of its own, reads that often, and is gone without a word."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET /app/{key_of(shop)[0]}?protocol=7 HTTP/1.1\r\nsec-websocket-version: 13\r\n"
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    own = writer.get_extra_info("sockname")[1]
    for channel, position in ((f"own-{own}", True), ("news", None), ("prices", True)):
        data = {"channel": channel, "position": position}
        writer.write(masked(json.dumps({"event": "pusher:subscribe", "data": data}).encode()))
    with suppress(TimeoutError):
        async with asyncio.timeout(5.0 if reads == _UNTIL_PUBLISHED else 0.2):
            if reads == _UNTIL_PUBLISHED:
                await reader.readuntil(b'"event":"e"')
            for _ in range(reads):
                await reader.read(4_096)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


def masked(payload: bytes) -> bytes:
    """A client's frame, with the mask 0, which changes nothing."""
    head = frame(payload, Opcode.TEXT)
    length = len(head) - len(payload)
    return bytes((head[0], head[1] | 0x80)) + head[2:length] + bytes(4) + payload


def held(engine: Engine) -> dict[str, int]:
    """How much the gateway knows of."""
    member = engine.membership
    return {
        "connections": sum(len(each.connections) for each in engine.applications.values()),
        "channels": len(engine.hub.channels),
        "topics": len(engine.broker._topics),
        "expected": len(engine.broker._expected),
        "occupancy": len(member.occupancy._counts),
        "unreported": member.occupancy.is_dirty + member.admission.is_dirty + member.presence.is_dirty,
        "reads": len(engine.logs._reading),
        "repairs": len(engine.continuity._repairs),
        "leaving": len(engine.continuity._leaving),
        "admitted": sum(member.admission._counts.values()),
        "tasks": len(asyncio.all_tasks()),
    }


def objects() -> Counter[str]:
    gc.collect()
    return Counter(type(each).__name__ for each in gc.get_objects() if issubclass(type(each), _OURS))


async def rounds(it: World, shop: ApplicationRecord, port: int, count: int) -> int:
    """Under publications, so that fan-outs meet connections that are gone; the most deliveries ever counted."""
    engine, most = await it.plane.plane().engine(shop.region), 0
    for number in range(count):
        clients = asyncio.gather(*(cut_client(port, shop, reads=reads % 4) for reads in range(12)))
        while not clients.done():
            await it.published(shop, "news", data=str(number))
            await it.published(shop, "prices")
            await asyncio.sleep(0.01)
            most = max(most, engine.application(shop).counters.delivered)
        await clients
    return most


async def test_connections_that_are_cut_leave_nothing_behind(region: str, clean_valkey: None) -> None:
    shop = record(region)
    async with world(shop) as it:
        engine = await it.plane.plane().engine(region)
        state = SimpleNamespace(connections=set(), tasks=set())
        config = SimpleNamespace(loaded_app=it.plane)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: FramesProtocol(config, state, {}), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        before = held(engine), objects()
        assert await rounds(it, shop, port, 5) > 0

        async def settled() -> bool:
            return held(engine) == before[0] and not state.connections

        await eventually(settled)
        assert objects() == before[1]
        assert (await it.signed(shop, "GET", "/channels")).body == {"channels": {}}
        server.close()


class Ring:
    """Holds itself, as a server's connection does."""

    def __init__(self) -> None:
        self.itself = self


def test_what_ended_connections_leave_is_collected_by_their_number() -> None:
    leftovers, ring = Leftovers(), Ring()
    gone = weakref.ref(ring)
    gc.disable()
    try:
        del ring
        leftovers.ended = 249
        assert not leftovers.collect(open_count=0)
        leftovers.ended = 999
        assert not leftovers.collect(open_count=4_000)
        assert gone() is not None
        leftovers.ended = 1_000
        assert leftovers.collect(open_count=4_000)
        assert (gone(), leftovers.ended) == (None, 0)
    finally:
        gc.enable()


async def test_every_end_is_counted(region: str, clean_valkey: None) -> None:
    shop = record(region)
    async with world(shop) as it:
        for number in range(1, 4):
            await (await it.client(shop)).gone()
            assert (await it.plane.plane().engine(region)).leftovers.ended == number
