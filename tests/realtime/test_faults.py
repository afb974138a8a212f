"""What goes wrong in an application is counted, whoever caused it, and how a connection ended is said in the feed."""

from __future__ import annotations

from typing import Any

import pytest

from apps.realtime import queries
from apps.realtime.protocol import closing
from tests.realtime.test_closing import connection_of, refused
from tests.realtime.wire import Client, World, key_of, record, world

pytestmark = pytest.mark.usefixtures("clean_valkey")


async def faults(it: World, shop: Any) -> dict[str, int]:
    """Codes and how often, after a flush."""
    engine = await it.plane.plane().engine(shop.region)
    await engine.faults.flush()
    report = queries.fault_report(region=shop.region, application_id=shop.application_id)
    assert all(fault.count == fault.in_this_hour and fault.message for fault in report)
    return {fault.code: fault.count for fault in report}


async def test_errors_of_sockets_and_of_http_are_counted_by_code_while_nobody_looks(region: str) -> None:
    shop, rival = record(region, max_connections=1), record(region)
    async with world(shop, rival) as it:
        client = await it.client(shop)
        for text in ("{", "[]"):
            client.send_text(text)
            assert (await client.event())["data"]["code"] == closing.MALFORMED
        client.send("pusher:subscribe", {"channel": "private-a", "auth": "wrong:00"})
        assert (await client.event())["event"] == "pusher:subscription_error"
        assert await refused(Client(it.plane, shop)) == 4004
        too_large = {"name": "e", "channel": "a", "data": "x" * 20_000}
        assert (await it.signed(shop, "POST", "/events", too_large)).status == 413
        unsigned = await it.call("GET", f"/apps/{shop.application_id}/channels")
        assert unsigned.status == 401
        counted = await faults(it, shop)
        assert counted == {"4310": 2, "401": 1, "4004": 1, "event_too_large": 1, "not_authentic": 1}
        assert await faults(it, rival) == {}
        await it.signed(shop, "POST", "/events", too_large)
        assert (await faults(it, shop))["event_too_large"] == 2
        await client.gone()


async def ends(it: World, shop: Any) -> list[tuple[Any, Any]]:
    """Close code and reason of every end in the feed, the newest first."""
    engine = await it.plane.plane().engine(shop.region)
    await engine.lines.call("PING")
    feed = queries.trace_feed(region=shop.region, application_id=shop.application_id)
    return [(each.facts["code"], each.facts["message"]) for each in feed if each.kind == "disconnected"]


async def test_the_feed_says_how_each_connection_ended(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        closed, cut, left = [await it.client(shop) for _ in range(3)]
        connection_of(it, closed).application.is_watched = True
        connection_of(it, closed).close(closing.NO_PONG)
        assert await closed.closed() == 4201
        await closed.gone()
        await cut.gone()
        left.leave(1001)
        await left.task
        assert await ends(it, shop) == [
            (1001, "Closed by the client"),
            (1006, closing.CUT.reason),
            (4201, closing.NO_PONG.reason),
        ]
        assert await faults(it, shop) == {"4201": 1}


async def test_a_wanted_end_is_no_error_and_a_refused_token_is_one(region: str) -> None:
    shop = record(region, tokens=True)
    async with world(shop) as it:
        drained, terminated = await it.client(shop), await it.client(shop)
        connection_of(it, drained).close(closing.RECONNECT)
        connection_of(it, terminated).close(closing.TERMINATED)
        stranger = await Client(it.plane, shop, f"/app/{key_of(shop)[0]}?protocol=7&token=nonsense").connected()
        assert await stranger.closed() == 4009
        assert await faults(it, shop) == {"4009": 1}
        for client in (drained, terminated, stranger):
            await client.gone()
