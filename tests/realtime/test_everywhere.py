"""What is asked of one gateway and concerns clients of another: the same answer as if there were one."""

from __future__ import annotations

import json

import pytest

from tests.realtime.wire import record, world

pytestmark = pytest.mark.usefixtures("clean_valkey")


@pytest.mark.parametrize(
    "channel", ["cache-a", "private-cache-a", "presence-cache-a", "private-encrypted-cache-a", "news", "presence-a"]
)
async def test_each_kind_of_cache_channel_replays_its_last_event_on_any_gateway(region: str, channel: str) -> None:
    shop, is_cached = record(region), "cache-" in channel
    user = "ada" if channel.startswith("presence-") else None
    async with world(shop) as it:
        first, late = await it.client(shop), await it.client(shop, it.node())
        await first.subscribed(channel, user)
        if is_cached:
            assert await first.event() == {"event": "pusher:cache_miss", "channel": channel}
        for data in ("old", '{"nonce":"n","ciphertext":"c"}'):
            await it.published(shop, channel, name="price", data=data)
            assert (await first.event())["data"] == data
        await late.subscribed(channel, user)
        if is_cached:
            last = {"event": "price", "channel": channel, "data": '{"nonce":"n","ciphertext":"c"}'}
            assert await late.event() == last
            cache = (await it.signed(shop, "GET", f"/channels/{channel}", query="info=cache")).body["cache"]
            assert (cache["data"], 0 < cache["ttl"] <= 1_800) == (last["data"], True)
        else:
            assert (await it.signed(shop, "GET", f"/channels/{channel}", query="info=cache")).status == 400
        for client in (first, late):
            await client.nothing_more()
            await client.gone()


async def test_client_events_are_never_cached(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        sender, late = await it.client(shop), await it.client(shop, it.node())
        await sender.subscribed("private-cache-a")
        await sender.event()
        sender.send("client-x", {"n": 1}, channel="private-cache-a")
        await sender.nothing_more()
        await late.subscribed("private-cache-a")
        assert (await late.event())["event"] == "pusher:cache_miss"
        for client in (sender, late):
            await client.gone()


async def test_a_socket_is_left_out_wherever_it_is(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        there = it.node()
        excluded, other = await it.client(shop, there), await it.client(shop, there)
        for client in (excluded, other):
            await client.subscribed("news")
        event = {"name": "e", "channel": "news", "data": "1", "socket_id": excluded.socket_id}
        batch = {"batch": [event]}
        assert (await it.signed(shop, "POST", "/events", event)).status == 200
        assert (await it.signed(shop, "POST", "/batch_events", batch)).status == 200
        assert [(await other.event())["data"] for _ in range(2)] == ["1", "1"]
        for client in (excluded, other):
            await client.nothing_more()
            await client.gone()


async def test_a_user_is_reached_and_sent_away_on_every_gateway(region: str) -> None:
    shop, rival = record(region), record(region, tenant_id=2)
    async with world(shop, rival) as it:
        there = it.node()
        phone, laptop = await it.client(shop), await it.client(shop, there)
        bob, stranger = await it.client(shop, there), await it.client(rival, there)
        for client in (phone, laptop, stranger):
            await client.signed_in("ada")
            client.send("pusher:subscribe", {"channel": "#server-to-user-ada", "auth": ""})
            assert (await client.event())["event"] == "pusher_internal:subscription_succeeded"
        await bob.subscribed("presence-room", user="ada")
        await it.published(shop, "#server-to-user-ada", data="hi")
        for client in (phone, laptop):
            assert (await client.event())["data"] == "hi"
        assert (await it.signed(shop, "POST", "/users/ada/terminate_connections", {})).body == {}
        for client in (phone, laptop):
            assert await client.closed() == 4009
        for client in (bob, stranger):
            await client.nothing_more()
        for client in (phone, laptop, bob, stranger):
            await client.gone()


async def test_counts_are_of_all_gateways_and_only_where_they_mean_something(region: str) -> None:
    shop = record(region, subscription_count=True)
    async with world(shop) as it:
        there = it.node()
        clients = [await it.client(shop), await it.client(shop, there), await it.client(shop, there)]
        for client, user in zip(clients, ("ada", "bob", "ada"), strict=True):
            await client.subscribed("presence-room", user)
        listener = await it.client(shop, there)
        await listener.subscribed("news")
        event = {
            "name": "e",
            "channels": ["presence-room", "news"],
            "data": "1",
            "info": "user_count,subscription_count",
        }
        assert (await it.signed(shop, "POST", "/events", event)).body == {
            "channels": {"presence-room": {"user_count": 2}, "news": {"subscription_count": 1}}
        }
        answers = [
            (await it.signed(shop, "GET", path, query=query)).body
            for path, query in (
                ("/channels/presence-room/users", ""),
                ("/channels/presence-room", "info=user_count"),
                ("/channels", "filter_by_prefix=presence-&info=user_count"),
            )
        ]
        assert answers == [
            {"users": [{"id": "ada"}, {"id": "bob"}]},
            {"occupied": True, "user_count": 2},
            {"channels": {"presence-room": {"user_count": 2}}},
        ]
        for client in (*clients, listener):
            await client.gone()


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/channels", "info=user_count"),
        ("/channels", "filter_by_prefix=private-&info=user_count"),
        ("/channels", "filter_by_prefix=presence-&info=subscription_count"),
        ("/channels/news", "info=user_count"),
        ("/channels/news", "info=subscription_count"),
        ("/channels/presence-a", "info=subscription_count"),
        ("/channels/news/users", ""),
        ("/channels/a%20b", ""),
    ],
)
async def test_an_attribute_that_means_nothing_there_is_refused(region: str, path: str, query: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        assert (await it.signed(shop, "GET", path, query=query)).status == 400


async def test_a_presence_member_may_have_a_number_and_one_kilobyte(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        for user, info, kind in (
            (7, "x" * 1_022, None),
            (8, "x" * 1_023, "LimitReached"),
            ("y" * 129, "", "ChannelError"),
        ):
            data = json.dumps({"user_id": user, "user_info": info})
            channel = f"presence-{len(info)}-{len(str(user))}"
            client.send("pusher:subscribe", {
                "channel": channel, "channel_data": data, "auth": client.auth(channel, data),
            })  # fmt: skip
            answer = await client.event()
            if kind is None:
                assert json.loads(answer["data"])["presence"]["ids"] == ["7"]
            else:
                assert answer["data"]["type"] == kind
        await client.gone()
