"""Two gateways in one loop: presence and counts over both, dead nodes, and an emptied Valkey."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from apps.core import valkey
from apps.realtime import keys, queries
from tests.realtime.wire import record, world

pytestmark = pytest.mark.usefixtures("clean_valkey")


async def eventually(reached: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(500):
        if await reached():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to be")


async def test_a_user_on_two_nodes_is_one_member_until_the_last_leaves(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        other_node = it.node()
        watcher = await it.client(shop)
        await watcher.subscribed("presence-a", user="watcher")
        here, there = await it.client(shop), await it.client(shop, other_node)
        await here.subscribed("presence-a", user="ada")
        ack = await there.subscribed("presence-a", user="ada")
        assert json.loads(ack["data"])["presence"]["ids"] == ["watcher", "ada"]
        assert (await watcher.event())["event"] == "pusher_internal:member_added"
        await here.gone()
        await watcher.nothing_more()
        await there.gone()
        removed = await watcher.event()
        assert (removed["event"], json.loads(removed["data"])) == (
            "pusher_internal:member_removed", {"user_id": "ada"},
        )  # fmt: skip
        await watcher.gone()


async def test_a_full_presence_channel_refuses_and_tells_nobody(region: str) -> None:
    shop = record(region, max_presence_members=1)
    async with world(shop) as it:
        first, second = await it.client(shop), await it.client(shop)
        await first.subscribed("presence-a", user="ada")
        data = {"channel": "presence-a", "channel_data": '{"user_id":"bob"}'}
        second.send("pusher:subscribe", {**data, "auth": second.auth("presence-a", data["channel_data"])})
        assert (await second.event())["data"]["type"] == "LimitReached"
        await first.nothing_more()
        assert (await it.signed(shop, "GET", "/channels/presence-a/users")).body == {"users": [{"id": "ada"}]}
        await first.gone()
        await second.gone()


async def test_a_dead_nodes_part_is_given_back_once(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        other_node = it.node()
        watcher, lost = await it.client(shop), await it.client(shop, other_node)
        await watcher.subscribed("presence-a", user="watcher")
        await lost.subscribed("presence-a", user="ada")
        await watcher.event()
        engine = await it.plane.plane().engine(region)
        node = await it.client(shop, other_node)
        dead = node_of(other_node, region)
        await engine.lines.call("DEL", keys.lease(dead))
        await engine.membership.renew()
        await engine.membership.renew()
        assert (await watcher.event())["event"] == "pusher_internal:member_removed"
        await watcher.nothing_more()
        assert queries.connection_count(region=region, tenant_id=1, application_id=shop.application_id) == 1
        for client in (watcher, lost, node):
            await client.gone()


def node_of(plane: object, region: str) -> str:
    engines = plane.plane().engines  # type: ignore[attr-defined]
    return str(engines[0].membership.identity.node)


async def test_an_emptied_valkey_is_filled_again_from_what_nodes_hold(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        await client.subscribed("presence-a", user="ada")
        await client.subscribed("news")
        valkey.connect(region).flushall()
        engine = await it.plane.plane().engine(region)
        await engine.membership.renew()
        await engine.membership.flush()
        assert (await it.signed(shop, "GET", "/channels/presence-a/users")).body == {"users": [{"id": "ada"}]}
        assert (await it.signed(shop, "GET", "/channels")).body == {"channels": {"news": {}, "presence-a": {}}}
        assert queries.connection_count(region=region, tenant_id=1) == 1
        await it.published(shop, "news")
        events = [(await client.event())["event"] for _ in range(2)]
        assert events == ["pusher_internal:member_added", "e"]
        await client.gone()


async def test_a_lost_broker_connection_is_rebuilt_with_its_subscriptions(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        await client.subscribed("news")
        engine = await it.plane.plane().engine(region)
        engine.broker.rebuild()

        async def rebuilt() -> bool:
            return engine.broker.rebuilds == 1

        await eventually(rebuilt)
        await it.published(shop, "news", data="after")
        assert (await client.event())["data"] == "after"
        await client.gone()


async def test_a_channel_is_vacant_after_its_last_subscriber(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        await client.subscribed("news")
        assert (await it.signed(shop, "GET", "/channels/news")).body == {"occupied": True}
        await client.gone()

        async def vacant() -> bool:
            return (await it.signed(shop, "GET", "/channels/news")).body == {"occupied": False}

        await eventually(vacant)


async def test_the_console_sees_connections_channels_and_publications_while_it_watches(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        queries.watch(region=region, application_id=shop.application_id)
        client = await it.client(shop)
        engine = await it.plane.plane().engine(region)
        await engine.tracer.refresh(list(engine.applications.values()), "node")
        await client.subscribed("presence-a", user="ada")
        await it.published(shop, "presence-a", name="hello", data="secret" * 200)
        await client.event()
        await engine.tracer.refresh(list(engine.applications.values()), "node")
        await engine.lines.call("PING")  # nobody waits for the snapshot, which leaves before this
        [connection] = queries.live_connections(region=region, application_id=shop.application_id)
        assert (connection.socket_id, connection.channels) == (client.socket_id, ["presence-a"])
        [channel] = queries.occupied_channels(region=region, application_id=shop.application_id)
        assert (channel.name, channel.connections, channel.users) == ("presence-a", 1, 1)
        [seen, *_] = queries.trace_feed(region=region, application_id=shop.application_id)
        assert (seen.kind, seen.facts["event"], len(seen.facts["data"])) == ("published", "hello", 512)
        await client.gone()
