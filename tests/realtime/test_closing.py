"""Every close code of the protocol with what leads to it, and the place in a quota that only the authorized take."""

from __future__ import annotations

import time
from typing import Any

import pytest

from apps.core import valkey
from apps.realtime import allowances, queries, sessions
from apps.realtime.connection import Connection
from tests.realtime.wire import Client, World, key_of, record, world
from tests.realtime.xhr import HttpClient

pytestmark = pytest.mark.usefixtures("clean_valkey")


async def refused(client: Client) -> int:
    assert (await client.received())["type"] == "websocket.accept"
    code = await client.closed()
    await client.gone()
    return code


def connection_of(it: World, client: Client) -> Connection:
    [engine] = it.plane.plane().engines
    return engine.applications[client.application.application_id].connections[client.socket_id]


async def test_4004_a_tenant_over_its_connections_is_told_to_stay_away(region: str) -> None:
    shop = record(region, tenant_id=21)
    allowances.offer(valkey.connect(region), 21, messages=9, connections=1)
    async with world(shop) as it:
        client = await it.client(shop)
        assert await refused(Client(it.plane, shop)) == 4004
        await client.nothing_more()
        await client.gone()


async def test_4100_a_full_gateway_and_an_absent_broker_ask_for_a_moment(region: str, settings: Any) -> None:
    shop = record(region)
    settings.GATEWAY_MAX_CONNECTIONS = 1
    async with world(shop) as it:
        client = await it.client(shop)
        assert await refused(Client(it.plane, shop)) == 4100
        http = HttpClient(shop, it.plane)
        assert await http.line() == "o"
        assert await http.closed() == 4100
        await http.gone()
        await client.gone()
        settings.GATEWAY_MAX_CONNECTIONS = 0
        (await it.plane.plane().engine(region)).lines.close()
        assert await refused(Client(it.plane, shop)) == 4100


async def test_4100_who_lets_too_much_wait_is_closed_and_counted(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MAX_QUEUED_BYTES", 300)
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        await client.subscribed("news")
        connection = connection_of(it, client)
        await it.published(shop, "news", data="x" * 400)
        assert await client.closed() == 4100
        assert connection.application.counters.dropped == 1
        await client.gone()


async def test_4201_who_does_not_answer_a_ping_is_closed(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client, other = await it.client(shop), await it.client(shop)
        engine = await it.plane.plane().engine(region)
        now = time.monotonic()
        engine.upkeep.check_liveness(now + 131)
        for each in (client, other):
            assert (await each.event())["event"] == "pusher:ping"
        other.send("pusher:pong")
        await other.nothing_more()
        connection_of(it, other).last_received = now + 140
        engine.upkeep.check_liveness(now + 162)
        assert await client.closed() == 4201
        await other.nothing_more()
        for each in (client, other):
            await each.gone()


async def test_4202_a_client_that_knows_no_pings_may_be_idle_for_a_day(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        old = await Client(it.plane, shop, f"/app/{key_of(shop)[0]}?protocol=4").connected()
        engine = await it.plane.plane().engine(region)
        now = time.monotonic()
        engine.upkeep.check_liveness(now + 23 * 3_600)
        await old.nothing_more()
        engine.upkeep.check_liveness(time.monotonic() + 24 * 3_600 + 1)
        error = await old.event()
        assert (error["event"], error["data"]["code"]) == ("pusher:error", 4202)
        assert await old.closed() == 4202
        await old.gone()


@pytest.mark.parametrize(("protocol", "told"), [(3, True), (4, True), (5, True), (6, False), (7, False)])
async def test_old_protocols_are_told_in_an_event_first(region: str, protocol: int, told: bool) -> None:
    shop = record(region, max_connections=0 if protocol == 3 else 1)
    async with world(shop) as it:
        client = None if protocol == 3 else await it.client(shop)
        late = Client(it.plane, shop, f"/app/{key_of(shop)[0]}?protocol={protocol}")
        await late.received()
        code = 4007 if protocol == 3 else 4004
        if told:
            assert (await late.event())["data"]["code"] == code
        assert await late.closed() == code
        await late.gone()
        if client is not None:
            await client.gone()


# --- Authorized connections


def counted(region: str, shop: Any) -> int:
    return queries.connection_count(region=region, tenant_id=shop.tenant_id, application_id=shop.application_id)


@pytest.mark.parametrize("transport", ["ws", "xhr_streaming"])
async def test_only_who_authorizes_takes_a_place(region: str, transport: str) -> None:
    shop = record(region, authorized_connections_only=True, max_connections=1)
    async with world(shop) as it:

        async def connected() -> Client:
            return await (HttpClient(shop, it.plane).connected() if transport != "ws" else it.client(shop))

        strangers = [await connected() for _ in range(5)]
        application = connection_of(it, strangers[0]).application
        assert (counted(region, shop), application.counted, application.counters.peak) == (0, 0, 0)
        user, late = await connected(), await connected()
        await user.signed_in("ada")
        await user.subscribed("private-a")
        assert (counted(region, shop), application.counted, application.counters.peak) == (1, 1, 1)
        data = {"channel": "private-a", "auth": late.auth("private-a")}
        late.send("pusher:subscribe", data)
        assert await late.closed() == 4004
        for client in (user, late, *strangers):
            await client.gone()
        assert application.counted <= 1, "an HTTP session is given back a little later"


async def test_a_wrong_signature_does_not_authorize(region: str) -> None:
    shop = record(region, authorized_connections_only=True)
    async with world(shop) as it:
        client = await it.client(shop)
        client.send("pusher:subscribe", {"channel": "private-a", "auth": "wrong:00"})
        assert (await client.event())["event"] == "pusher:subscription_error"
        client.send("pusher:signin", {"auth": "wrong:00", "user_data": '{"id":"ada"}'})
        assert (await client.event())["data"]["code"] == 4009
        await client.subscribed("news")
        assert (connection_of(it, client).must_authorize, counted(region, shop)) == (True, 0)
        await client.gone()


async def test_a_flood_of_unauthorized_connections_is_bounded_and_the_others_come_in(
    region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MAX_UNAUTHORIZED", 2)
    shop, rival = record(region, authorized_connections_only=True), record(region, authorized_connections_only=True)
    async with world(shop, rival) as it:
        flood = [await it.client(shop) for _ in range(2)]
        assert await refused(Client(it.plane, shop)) == 4100
        neighbour = await it.client(rival)
        await flood[0].signed_in("ada")
        user = await it.client(shop)
        for client in (*flood, neighbour, user):
            await client.gone()
        [engine] = it.plane.plane().engines
        assert engine.open_count == 0
        assert [application.unauthorized for application in engine.applications.values()] == [0, 0]
