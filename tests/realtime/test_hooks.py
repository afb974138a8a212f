"""What the data plane notes for webhooks, and what it leaves to the linger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from apps.core import valkey
from apps.realtime import keys
from apps.tenants.queries import ApplicationRecord
from tests.realtime.test_cluster import node_of
from tests.realtime.wire import record, world

pytestmark = pytest.mark.usefixtures("clean_valkey")

EVERYTHING = frozenset({
    "channel_occupied", "channel_vacated", "member_added", "member_removed", "client_event", "cache_miss",
    "subscription_count",
})  # fmt: skip


def hooked(region: str, events: Iterable[str] = EVERYTHING, **settings: object) -> ApplicationRecord:
    return replace(record(region, **settings), webhook_events=frozenset(events))


def noted(region: str, shop: ApplicationRecord, channel: str) -> list[dict[str, str]]:
    stream, _linger = keys.hooks_of(shop.application_id, channel)
    lines = valkey.connect(region).xrange(stream)
    return [{name.decode(): value.decode() for name, value in fields.items()} for _id, fields in lines]


def lingering(region: str, shop: ApplicationRecord, channel: str) -> list[bytes]:
    return valkey.connect(region).zrange(keys.hooks_of(shop.application_id, channel)[1], 0, -1)


async def test_the_first_subscriber_and_each_new_member_are_noted_once_and_in_order(region: str) -> None:
    shop = hooked(region)
    async with world(shop) as it:
        ada, again = await it.client(shop), await it.client(shop, it.node())
        await ada.subscribed("presence-a", user="ada")
        await again.subscribed("presence-a", user="ada")
        assert noted(region, shop, "presence-a") == [
            {"name": "channel_occupied", "channel": "presence-a"},
            {"name": "member_added", "channel": "presence-a", "user_id": "ada"},
        ]
        waiting = f"{shop.tenant_id}:{keys.partition(shop.application_id, 'presence-a')}".encode()
        assert valkey.connect(region).smembers(keys.HOOKS_WAITING) == {waiting}
        for client in (ada, again):
            await client.gone()


async def test_who_comes_back_within_the_linger_was_never_away(region: str) -> None:
    shop = hooked(region)
    async with world(shop) as it:
        ada = await it.client(shop)
        await ada.subscribed("presence-a", user="ada")
        before = noted(region, shop, "presence-a")
        ada.send("pusher:unsubscribe", {"channel": "presence-a"})
        await ada.nothing_more()
        await (await it.plane.plane().engine(region)).membership.flush()
        assert lingering(region, shop, "presence-a") == [b"member presence-a ada", b"occupancy presence-a"]
        await ada.subscribed("presence-a", user="ada")
        assert lingering(region, shop, "presence-a") == []
        assert noted(region, shop, "presence-a") == before
        await ada.gone()


async def test_what_a_dead_node_held_lingers_too(region: str) -> None:
    shop = hooked(region)
    async with world(shop) as it:
        other_node = it.node()
        watcher, lost = await it.client(shop), await it.client(shop, other_node)
        await watcher.subscribed("presence-a", user="watcher")
        await lost.subscribed("presence-a", user="ada")
        engine = await it.plane.plane().engine(region)
        await engine.lines.call("DEL", keys.lease(node_of(other_node, region)))
        await engine.membership.renew()
        await engine.membership.renew()
        assert lingering(region, shop, "presence-a") == [b"member presence-a ada"]
        for client in (watcher, lost):
            await client.gone()


async def test_a_client_event_is_noted_with_its_sender(region: str) -> None:
    shop = hooked(region, {"client_event"})
    async with world(shop) as it:
        ada = await it.client(shop)
        await ada.subscribed("presence-a", user="ada")
        ada.send("client-typing", {"x": 1}, channel="presence-a")
        await ada.nothing_more()
        assert noted(region, shop, "presence-a") == [
            {
                "name": "client_event", "channel": "presence-a", "event": "client-typing", "data": '{"x":1}',
                "socket_id": ada.socket_id, "user_id": "ada",
            },
        ]  # fmt: skip
        await ada.gone()


async def test_many_misses_at_the_same_time_are_one(region: str) -> None:
    shop = hooked(region, {"cache_miss"})
    async with world(shop) as it:
        clients = [await it.client(shop) for _ in range(5)]
        for client in clients:
            await client.subscribed("cache-a")
            assert (await client.event())["event"] == "pusher:cache_miss"
        for client in clients:
            await client.nothing_more()
        assert noted(region, shop, "cache-a") == [{"name": "cache_miss", "channel": "cache-a"}]
        for client in clients:
            await client.gone()


async def test_subscription_counts_are_noted_as_they_are_announced(region: str) -> None:
    shop = hooked(region, {"subscription_count"}, subscription_count=True)
    async with world(shop) as it:
        client = await it.client(shop)
        await client.subscribed("news")
        assert (await client.event())["event"] == "pusher_internal:subscription_count"
        assert noted(region, shop, "news") == [
            {"name": "subscription_count", "channel": "news", "subscription_count": "1"}
        ]
        await client.gone()


async def test_nothing_is_noted_for_an_application_without_webhooks(region: str) -> None:
    shop = hooked(region, ())
    async with world(shop) as it:
        ada = await it.client(shop)
        await ada.subscribed("presence-cache-a", user="ada")
        ada.send("client-typing", {}, channel="presence-cache-a")
        await ada.gone()
        await (await it.plane.plane().engine(region)).membership.flush()
        assert noted(region, shop, "presence-cache-a") == []
        assert lingering(region, shop, "presence-cache-a") == []
        assert valkey.connect(region).exists(keys.HOOKS_WAITING) == 0
