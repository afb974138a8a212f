"""The WebSocket door, good and bad input. Every refusal is checked against something that could have leaked."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from apps.realtime import events
from tests.realtime.wire import Client, key_of, record, world

pytestmark = pytest.mark.usefixtures("clean_valkey")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", 4008),
        ("?protocol=8", 4007),
        ("?protocol=seven", 4007),
        ("?protocol=7&version=%3Cscript%3E", 4006),
    ],
)
async def test_a_handshake_without_a_known_protocol_is_refused(region: str, query: str, code: int) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = Client(it.plane, shop, f"/app/{key_of(shop)[0]}{query}")
        assert (await client.received())["type"] == "websocket.accept"
        assert await client.closed() == code
        await client.gone()


@pytest.mark.parametrize(
    ("path", "code"), [("/app/unknown", 4001), ("/app/%00", 4001), ("/app/" + "k" * 300, 4001), ("/elsewhere", 4005)]
)
async def test_an_unknown_key_or_path_is_refused(region: str, path: str, code: int) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = Client(it.plane, shop, f"{path}?protocol=7")
        await client.received()
        assert await client.closed() == code
        await client.gone()


async def test_a_disabled_application_is_refused_and_its_clients_are_closed(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        it.source.applications[0] = replace(shop, enabled=False)
        engine = await it.plane.plane().engine(region)
        await engine.lines.call("PUBLISH", "registry:changed", shop.application_id)
        assert await client.closed() == 4003
        await client.gone()
        late = Client(it.plane, shop)
        await late.received()
        assert await late.closed() == 4003
        await late.gone()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "7", "null", '"x"', '{"event":7}', '{"event":""}', '{"data":{}}', '{"event":"pusher:subscribe"}',
     '{"event":"pusher:subscribe","data":"{"}', '{"event":"pusher:subscribe","data":{"channel":7}}',
     '{"event":"pusher:subscribe","data":{"channel":"a","channel_data":{}}}', '{"event":"e","channel":{}}',
     '{"event":"' + "x" * 201 + '"}', '{"event":"pusher:subscribe","data":[]}', "[" * 5_000],
)  # fmt: skip
async def test_a_frame_out_of_protocol_is_an_error_event_and_the_socket_lives(region: str, text: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        client.send_text(text)
        error = await client.event()
        assert (error["event"], error["data"]["code"]) == ("pusher:error", 4310)
        await client.nothing_more()
        await client.gone()


async def test_binary_and_unknown_events_are_errors(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        client.send_bytes(b"\x00")
        assert (await client.event())["data"]["code"] == 4310
        client.send("pusher_internal:member_added", {"user_id": "me"}, channel="presence-a")
        assert (await client.event())["data"]["code"] == 4311
        await client.gone()


@pytest.mark.parametrize(
    ("channel", "status"),
    [("a b", 400), ("", 400), ("x" * 165, 400), ("#server-to-user-", 401), ("#server-to-user-bob", 401), ("#x", 401),
     ("private-vault", 401), ("presence-vault", 401), ("private-encrypted-vault", 401)],
)  # fmt: skip
async def test_a_refused_subscription_hears_nothing(region: str, channel: str, status: int) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        await client.signed_in("ada")
        client.send("pusher:subscribe", {"channel": channel, "auth": "wrong:00"})
        error = await client.event()
        assert (error["event"], error["data"]["status"]) == ("pusher:subscription_error", status)
        if status == 401 and channel not in ("#x", "#server-to-user-"):
            await it.published(shop, channel)
        await client.nothing_more()
        await client.gone()


async def test_a_signature_of_another_socket_channel_or_application_is_refused(region: str) -> None:
    shop, rival = record(region), record(region)
    async with world(shop, rival) as it:
        client, stranger = await it.client(shop), await it.client(rival)
        for auth in (stranger.auth("private-a"), client.auth("private-b"), client.auth("private-a", "{}")):
            client.send("pusher:subscribe", {"channel": "private-a", "auth": auth})
            assert (await client.event())["data"]["type"] == "AuthError"
        await client.gone()
        await stranger.gone()


async def test_the_same_channel_of_another_application_is_another_channel(region: str) -> None:
    shop, rival = record(region), record(region, tenant_id=2)
    async with world(shop, rival) as it:
        client, stranger = await it.client(shop), await it.client(rival)
        await client.subscribed("news")
        await stranger.subscribed("news")
        await it.published(shop, "news", data="ours")
        assert (await client.event())["data"] == "ours"
        await stranger.nothing_more()
        listed = await it.signed(rival, "GET", "/channels")
        assert listed.body == {"channels": {"news": {}}}
        await client.gone()
        await stranger.gone()


async def test_a_repeated_subscribe_is_acknowledged_again_and_counted_once(region: str) -> None:
    shop = record(region, subscription_count=True)
    async with world(shop) as it:
        client = await it.client(shop)
        await client.subscribed("news")
        assert json.loads((await client.event())["data"]) == {"subscription_count": 1}
        await client.subscribed("news")
        answer = await it.signed(shop, "GET", "/channels/news", query="info=subscription_count")
        assert answer.body == {"occupied": True, "subscription_count": 1}
        await client.gone()


async def test_nothing_comes_after_unsubscribing(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        await client.subscribed("news")
        client.send("pusher:unsubscribe", {"channel": "news"})
        await client.nothing_more()
        await it.published(shop, "news")
        await client.nothing_more()
        await client.gone()


async def test_a_user_signs_in_once_and_as_nobody_else(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        client.send("pusher:signin", {"auth": "wrong:00", "user_data": '{"id":"ada"}'})
        assert (await client.event())["data"]["code"] == 4009
        await client.signed_in("ada")
        await client.signed_in("ada")
        with pytest.raises(AssertionError):
            await client.signed_in("bob")
        await client.gone()


@pytest.mark.parametrize(
    ("channel", "settings", "data"),
    [
        ("news", {}, "{}"),
        ("private-room", {"client_events": False}, "{}"),
        ("private-room", {"max_event_bytes": 4}, '"12345"'),
    ],
)
async def test_a_client_event_that_may_not_be_is_dropped(
    region: str, channel: str, settings: dict[str, object], data: str
) -> None:
    shop = record(region, **settings)
    async with world(shop) as it:
        sender, other = await it.client(shop), await it.client(shop)
        await sender.subscribed(channel)
        await other.subscribed(channel)
        sender.send_text(f'{{"event":"client-x","channel":"{channel}","data":{data}}}')
        assert (await sender.event())["data"]["code"] == 4312
        await other.nothing_more()
        await sender.gone()
        await other.gone()


async def test_a_client_event_needs_a_subscription_and_cannot_fake_its_sender(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        sender, other = await it.client(shop), await it.client(shop)
        await other.subscribed("presence-room", user="bob")
        sender.send("client-x", {"n": 1}, channel="presence-room")
        assert (await sender.event())["data"]["code"] == 4312
        await sender.subscribed("presence-room", user="ada")
        assert (await other.event())["event"] == "pusher_internal:member_added"
        sender.send("client-x", {"n": 2}, channel="presence-room", user_id="bob", extra="x")
        assert await other.event() == {
            "event": "client-x", "channel": "presence-room", "data": '{"n":2}', "user_id": "ada",
        }  # fmt: skip
        await sender.gone()
        await other.gone()


async def test_the_connection_limit_is_the_applications_over_all_nodes(region: str) -> None:
    shop = record(region, max_connections=2)
    async with world(shop) as it:
        clients = [await it.client(shop), await it.client(shop, it.node())]
        third = Client(it.plane, shop)
        await third.received()
        assert await third.closed() == 4004
        await third.gone()
        await clients[0].gone()
        engine = await it.plane.plane().engine(region)
        await engine.membership.flush()
        clients[0] = await it.client(shop)
        for client in clients:
            await client.gone()


async def test_a_cached_event_is_replayed_once(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        await client.subscribed("cache-a")
        assert (await client.event())["event"] == "pusher:cache_miss"
        await it.published(shop, "cache-a", data="7")
        assert (await client.event())["data"] == "7"
        late = await it.client(shop)
        await late.subscribed("cache-a")
        assert (await late.event())["data"] == "7"
        await late.nothing_more()
        assert events.CACHE_TTL <= 1_800
        await client.gone()
        await late.gone()


async def test_draining_closes_with_reconnect_and_refuses_new_ones(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        await it.plane.plane().drain(0)
        assert await client.closed() == 4200
        late = Client(it.plane, shop)
        assert (await late.received())["type"] == "websocket.close"
        assert it.plane.problem() == "draining"
        await client.gone()


async def test_a_connection_that_never_authorizes_is_closed_where_that_is_asked_for(region: str) -> None:
    shop, open_shop = record(region, authorized_connections_only=True), record(region)
    async with world(shop, open_shop) as it:
        idle, public, private, user = [await it.client(shop) for _ in range(4)]
        other = await it.client(open_shop)
        await public.subscribed("news")
        await private.subscribed("private-a")
        await user.signed_in("ada")
        engine = await it.plane.plane().engine(region)
        for application in engine.applications.values():
            for connection in application.connections.values():
                connection.since -= 31
        engine.upkeep.check_liveness(0)
        assert [await idle.closed(), await public.closed()] == [4009, 4009]
        for client in (private, user, other):
            await client.nothing_more()
        for client in (idle, public, private, user, other):
            await client.gone()
