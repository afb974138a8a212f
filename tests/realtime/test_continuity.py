"""Gaps between Valkey and a gateway: closed from the log for everybody, or said to everybody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from apps.core import valkey
from apps.realtime import continuity, keys
from apps.realtime.engine import Engine
from tests.realtime.test_cluster import eventually
from tests.realtime.test_recovery import data_of, follow, publish
from tests.realtime.wire import World, record, world

pytestmark = pytest.mark.usefixtures("clean_valkey")


async def deaf(it: World, region: str, during: Callable[[], Awaitable[None]]) -> Engine:
    """The gateway's broker connection loses what Valkey sends `during` this."""
    engine = await it.plane.plane().engine(region)
    hears = engine.broker._on_messages
    engine.broker._on_messages = lambda messages: None
    await during()
    await asyncio.sleep(0.05)
    engine.broker._on_messages = hears
    return engine


async def test_a_lost_publication_is_fetched_when_the_next_one_shows_the_gap(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        plain, asking = await it.client(shop), await it.client(shop)
        await plain.subscribed("news")
        await follow(asking, "news")
        await publish(it, shop, "news", 1)
        await deaf(it, region, lambda: publish(it, shop, "news", 2, 3))
        await publish(it, shop, "news", 4)
        for client in (plain, asking):
            assert await data_of(client, 4) == [1, 2, 3, 4]
            await client.nothing_more()
            await client.gone()


async def test_a_lost_last_publication_is_found_in_a_silent_channel(
    region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = record(region)
    async with world(shop) as it:
        plain, asking = await it.client(shop), await it.client(shop)
        await plain.subscribed("never-used")
        await follow(asking, "news")
        engine = await deaf(it, region, lambda: publish(it, shop, "news", 1))
        await deaf(it, region, lambda: publish(it, shop, "never-used", 2))
        await engine.continuity.tick()
        await asking.nothing_more()
        monkeypatch.setattr(continuity, "SILENCE", 0)
        await engine.continuity.tick()
        assert await data_of(asking, 1) == [1]
        assert await data_of(plain, 1) == [2]
        await plain.gone()
        await asking.gone()


async def test_a_rebuilt_broker_connection_leaves_no_gap(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        await follow(client, "news")
        engine = await deaf(it, region, lambda: publish(it, shop, "news", 1, 2))
        engine.broker.rebuild()
        assert await data_of(client, 2) == [1, 2]
        await client.gone()


async def test_a_gap_that_the_log_cannot_close_is_said_to_everybody(region: str) -> None:
    shop = record(region, history_size=1)
    async with world(shop) as it:
        plain, asking = await it.client(shop), await it.client(shop)
        await plain.subscribed("news")
        ack = await follow(asking, "news")
        await deaf(it, region, lambda: publish(it, shop, "news", 1, 2))
        await publish(it, shop, "news", 3)
        lost = await asking.event()
        assert (lost["event"], lost["recovered"], lost["epoch"]) == ("pusher:messages_lost", False, ack["epoch"])
        assert await data_of(asking, 1) == [3]
        assert await data_of(plain, 1) == [3]
        assert await plain.closed() == 4200
        await publish(it, shop, "news", 4)
        assert await data_of(asking, 1) == [4]
        await plain.gone()
        await asking.gone()


async def test_a_log_that_keeps_nothing_still_delivers_in_order(region: str) -> None:
    shop = record(region, history_size=0)
    async with world(shop) as it:
        client = await it.client(shop)
        await follow(client, "news")
        await publish(it, shop, "news", 1, 2, 3)
        assert await data_of(client, 3) == [1, 2, 3]
        await client.gone()


async def test_a_wiped_valkey_is_said_to_everybody_and_goes_on_in_a_new_epoch(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        plain, asking, quiet = [await it.client(shop) for _ in range(3)]
        await plain.subscribed("news")
        ack = await follow(asking, "news")
        await quiet.subscribed("never-used")
        await publish(it, shop, "news", 1)
        assert [await data_of(client, 1) for client in (plain, asking)] == [[1], [1]]
        valkey.connect(region).flushall()
        engine = await it.plane.plane().engine(region)
        engine.broker.rebuild()
        lost = await asking.event()
        assert (lost["event"], lost["offset"]) == ("pusher:messages_lost", 0)
        assert lost["epoch"] != ack["epoch"]
        assert [await client.closed() for client in (plain, quiet)] == [4200, 4200]
        await publish(it, shop, "news", 2)
        event = await asking.event()
        assert (event["data"], event["epoch"], event["offset"]) == ("2", lost["epoch"], 1)
        for client in (plain, asking, quiet):
            await client.gone()


async def test_a_publication_in_a_new_epoch_is_delivered_after_the_loss_is_said(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        await follow(client, "news")
        await publish(it, shop, "news", 1)
        await client.event()
        valkey.connect(region).delete(keys.meta(shop.application_id, "news"))
        await publish(it, shop, "news", 2, 3)
        assert (await client.event())["event"] == "pusher:messages_lost"
        assert await data_of(client, 2) == [2, 3]
        await client.gone()


async def test_the_same_offset_with_another_publication_is_a_loss(region: str) -> None:
    """A replica was promoted without the last publication, and gives its offset to another one."""
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        await follow(client, "news")
        await publish(it, shop, "news", 1, 2)
        assert await data_of(client, 2) == [1, 2]
        store = valkey.connect(region)
        store.hincrby(keys.meta(shop.application_id, "news"), "o", -1)
        store.xtrim(keys.log(shop.application_id, "news"), maxlen=0)
        store.delete(keys.log(shop.application_id, "news"))
        await publish(it, shop, "news", 3)
        assert (await client.event())["event"] == "pusher:messages_lost"
        assert await data_of(client, 1) == [3]
        await client.gone()


async def test_gaps_are_counted(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        await follow(client, "news")
        engine = await deaf(it, region, lambda: publish(it, shop, "news", 1))
        await publish(it, shop, "news", 2)
        assert await data_of(client, 2) == [1, 2]

        async def counted() -> bool:
            return (engine.continuity.repaired, engine.continuity.lost) == (1, 0)

        await eventually(counted)
        await client.gone()
