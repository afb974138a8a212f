"""Resuming over real gateways: what a client missed comes in order, or it is told that it cannot come."""

from __future__ import annotations

import json
from typing import Any

import pytest

from apps.core import valkey
from apps.realtime import keys
from apps.realtime.resuming import MAX_RECOVERED
from apps.tenants.queries import ApplicationRecord
from tests.realtime.wire import Client, World, key_of, record, world

pytestmark = pytest.mark.usefixtures("clean_valkey")


async def follow(client: Client, channel: str, position: Any = True, **members: Any) -> dict[str, Any]:
    """Subscribes with positions; the ack."""
    fields = {"channel": channel, "position": position, "auth": client.auth(channel), **members}
    client.send("pusher:subscribe", fields)
    ack = await client.event()
    assert ack["event"] == "pusher_internal:subscription_succeeded", ack
    return ack


def place(event: dict[str, Any]) -> dict[str, Any]:
    """What a client keeps, to resume."""
    return {name: event[name] for name in ("epoch", "offset", "message_id")}


async def publish(it: World, shop: ApplicationRecord, channel: str, *numbers: int) -> None:
    for number in numbers:
        await it.published(shop, channel, data=str(number))


async def data_of(client: Client, count: int) -> list[int]:
    return [int((await client.event())["data"]) for _ in range(count)]


async def test_only_who_asks_for_positions_gets_them(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        plain, asking = await it.client(shop), await it.client(shop)
        flagged = await Client(it.plane, shop, f"/app/{key_of(shop)[0]}?protocol=7&positions=true").connected()
        assert set(await plain.subscribed("news")) == {"event", "channel", "data"}
        acks = [await follow(asking, "news"), await flagged.subscribed("news")]
        await publish(it, shop, "news", 1)
        assert set(await plain.event()) == {"event", "channel", "data"}
        for client, ack in zip((asking, flagged), acks, strict=True):
            event = await client.event()
            assert (ack["offset"], event["offset"], event["epoch"]) == (0, 1, ack["epoch"])
            assert "recovered" not in ack
        for client in (plain, asking, flagged):
            await client.gone()


async def test_a_client_resumes_on_another_node_and_goes_on_live(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        await follow(client, "private-a")
        await publish(it, shop, "private-a", 1)
        position = place(await client.event())
        await client.gone()
        await publish(it, shop, "private-a", 2, 3)
        again = await it.client(shop, it.node())
        ack = await follow(again, "private-a", position)
        assert (ack["recovered"], place(ack)) == (True, position)
        await publish(it, shop, "private-a", 4)
        assert await data_of(again, 3) == [2, 3, 4]
        await again.nothing_more()
        await again.gone()


async def test_who_missed_nothing_is_recovered_with_nothing(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        position = place(await follow(client, "news"))
        await client.gone()
        again = await it.client(shop)
        assert (await follow(again, "news", position))["recovered"] is True
        await again.nothing_more()
        await again.gone()


@pytest.mark.parametrize("lost", ["too many", "trimmed", "expired", "wiped", "another publication", "ahead"])
async def test_a_gap_that_cannot_be_closed_is_said_and_nothing_is_replayed(region: str, lost: str) -> None:
    shop = record(region, history_size=3 if lost == "trimmed" else 1_000)
    name, store = shop.application_id, valkey.connect(region)
    async with world(shop) as it:
        client = await it.client(shop)
        await follow(client, "news")
        await publish(it, shop, "news", 1)
        position = place(await client.event())
        await client.gone()
        if lost == "too many":
            await publish(it, shop, "news", *range(MAX_RECOVERED + 1))
        elif lost == "wiped":
            store.flushall()
        elif lost == "another publication":
            position["message_id"] = "not-this-one"
        elif lost == "ahead":
            position["offset"] = 9
        await publish(it, shop, "news", 2, 3, 4, 5)
        if lost == "expired":
            store.delete(keys.log(name, "news"))
        again = await it.client(shop)
        ack = await follow(again, "news", position)
        assert (ack["recovered"], ack["offset"]) == (False, int(store.hget(keys.meta(name, "news"), "o")))
        await publish(it, shop, "news", 6)
        assert await data_of(again, 1) == [6]
        await again.gone()


@pytest.mark.parametrize(
    "position",
    [7, "e:1", [], {"epoch": "e"}, {"epoch": "", "offset": 1}, {"epoch": "e", "offset": -1}, {"epoch": 7, "offset": 1},
     {"epoch": "e", "offset": 10**15}, {"epoch": "e", "offset": True}, {"epoch": "e", "offset": 1, "message_id": 5}],
)  # fmt: skip
async def test_a_position_that_nobody_was_given_is_refused(region: str, position: Any) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        client.send("pusher:subscribe", {"channel": "news", "position": position})
        assert (await client.event())["data"]["code"] == 4310
        await publish(it, shop, "news", 1)
        await client.nothing_more()
        await client.gone()


async def test_another_applications_position_recovers_nothing(region: str) -> None:
    shop, rival = record(region), record(region, tenant_id=2)
    async with world(shop, rival) as it:
        client, stranger = await it.client(shop), await it.client(rival)
        position = place(await follow(client, "news"))
        await publish(it, shop, "news", 1)
        assert (await follow(stranger, "news", position))["recovered"] is False
        await stranger.nothing_more()
        await client.gone()
        await stranger.gone()


async def test_an_excluded_publication_moves_the_position_and_nothing_else(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        await follow(client, "news")
        body = {"name": "e", "channel": "news", "data": "1", "socket_id": client.socket_id}
        await it.signed(shop, "POST", "/events", body)
        event = await client.event()
        assert (event["event"], event["offset"]) == ("pusher_internal:position", 1)
        await client.gone()
        again = await it.client(shop)
        assert (await follow(again, "news", place(event)))["recovered"] is True
        await again.nothing_more()
        await again.gone()


async def test_rewind_begins_with_the_newest_publications(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        await publish(it, shop, "news", 1, 2, 3)
        client = await it.client(shop)
        ack = await follow(client, "news", rewind=2)
        assert ack["offset"] == 1
        assert await data_of(client, 2) == [2, 3]
        await client.gone()


async def test_a_cache_channel_replays_its_newest_event_unless_the_client_has_it(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        await follow(client, "cache-a")
        assert (await client.event())["event"] == "pusher:cache_miss"
        await publish(it, shop, "cache-a", 1)
        position = place(await client.event())
        again, fresh = await it.client(shop), await it.client(shop)
        await follow(again, "cache-a", position)
        await again.nothing_more()
        await follow(fresh, "cache-a")
        assert await data_of(fresh, 1) == [1]
        await fresh.nothing_more()
        for each in (client, again, fresh):
            await each.gone()


async def test_replayed_publications_are_counted_as_delivered(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        await publish(it, shop, "news", 1, 2)
        client = await it.client(shop)
        engine = await it.plane.plane().engine(region)
        counters = engine.applications[shop.application_id].counters
        before = counters.delivered
        await follow(client, "news", rewind=2)
        assert counters.delivered == before + 2
        await client.gone()


async def test_a_presence_channel_resumes_too(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        member = json.dumps({"user_id": "ada"})
        fields = {"channel_data": member, "auth": client.auth("presence-a", member)}
        position = place(await follow(client, "presence-a", **fields))
        await client.gone()
        await publish(it, shop, "presence-a", 1)
        again = await it.client(shop)
        ack = await follow(again, "presence-a", position, channel_data=member, auth=again.auth("presence-a", member))
        assert json.loads(ack["data"])["presence"]["ids"] == ["ada"]
        assert await data_of(again, 1) == [1]
        await again.gone()
