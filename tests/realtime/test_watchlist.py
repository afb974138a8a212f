"""Who is online: counted by user over all gateways, told to those who watch, exactly once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from apps.core import valkey
from apps.realtime import keys, queries
from apps.realtime.protocol import signing
from tests.realtime.test_cluster import eventually, node_of
from tests.realtime.wire import Client, World, record, world

pytestmark = pytest.mark.usefixtures("clean_valkey")


def sign_in(client: Client, user: str, watchlist: Any = None) -> None:
    user_data = json.dumps({"id": user} if watchlist is None else {"id": user, "watchlist": watchlist})
    signature = signing.sign(client.secret, signing.sign_in_text(client.socket_id, user_data))
    client.send("pusher:signin", {"auth": f"{client.key}:{signature}", "user_data": user_data})


async def watching(client: Client, user: str, watchlist: Any) -> dict[str, list[str]]:
    """Signs in; the state it is told first."""
    sign_in(client, user, watchlist)
    assert (await client.event())["event"] == "pusher:signin_success"
    return await changes(client)


async def changes(client: Client) -> dict[str, list[str]]:
    event = await client.event()
    assert (event["event"], "channel" in event) == ("pusher_internal:watchlist_events", False)
    return {each["name"]: each["user_ids"] for each in json.loads(event["data"])["events"]}


async def test_a_watcher_gets_the_state_and_then_each_change_once(region: str) -> None:
    shop = record(region, watchlist=True)
    async with world(shop) as it:
        other = it.node()
        watcher, bob = await it.client(shop), await it.client(shop, other)
        await bob.signed_in("bob")
        assert await watching(watcher, "ada", ["bob", "eve"]) == {"online": ["bob"], "offline": ["eve"]}
        tab, phone = await it.client(shop), await it.client(shop, other)
        await tab.signed_in("eve")
        assert await changes(watcher) == {"online": ["eve"]}
        await phone.signed_in("eve")
        await tab.gone()
        await (await it.plane.plane().engine(region)).membership.flush()
        await watcher.nothing_more()
        await phone.gone()
        assert await changes(watcher) == {"offline": ["eve"]}
        await bob.gone()
        assert await changes(watcher) == {"offline": ["bob"]}
        await watcher.nothing_more()
        await watcher.gone()


async def test_a_user_of_a_dead_node_goes_offline_once(region: str) -> None:
    shop = record(region, watchlist=True)
    async with world(shop) as it:
        dead, third = it.node(), it.node()
        watcher, far = await it.client(shop), await it.client(shop, third)
        lost = [await it.client(shop, dead) for _ in range(2)]
        for client in lost:
            await client.signed_in("bob")
        assert await watching(watcher, "ada", ["bob"]) == {"online": ["bob"]}
        assert await watching(far, "ann", ["bob"]) == {"online": ["bob"]}
        engine = await it.plane.plane().engine(region)
        await engine.lines.call("DEL", keys.lease(node_of(dead, region)))
        for plane in (it.plane, third, it.plane):
            await (await plane.plane().engine(region)).membership.renew()
        for client in (watcher, far):
            assert await changes(client) == {"offline": ["bob"]}
            await client.nothing_more()
        for client in (*lost, watcher, far):
            await client.gone()


async def test_an_emptied_valkey_learns_again_who_is_online(region: str) -> None:
    shop = record(region, watchlist=True)
    async with world(shop) as it:
        watcher, bob = await it.client(shop), await it.client(shop)
        await bob.signed_in("bob")
        assert await watching(watcher, "ada", ["bob"]) == {"online": ["bob"]}
        valkey.connect(region).flushall()
        await (await it.plane.plane().engine(region)).membership.renew()
        assert await changes(watcher) == {"online": ["bob"]}
        assert queries.online_users(region=region, application_id=shop.application_id) == {"ada", "bob"}
        for client in (watcher, bob):
            await client.gone()


async def test_a_lost_broker_connection_is_followed_by_the_whole_state(region: str) -> None:
    shop = record(region, watchlist=True)
    async with world(shop) as it:
        watcher, bob = await it.client(shop), await it.client(shop)
        await bob.signed_in("bob")
        await watching(watcher, "ada", ["bob", "eve"])
        (await it.plane.plane().engine(region)).broker.rebuild()
        assert await changes(watcher) == {"online": ["bob"], "offline": ["eve"]}
        await bob.gone()
        assert await changes(watcher) == {"offline": ["bob"]}
        await watcher.gone()


async def test_a_hundred_users_are_watched_and_the_rest_is_said(region: str) -> None:
    shop = record(region, watchlist=True)
    async with world(shop) as it:
        watcher = await it.client(shop)
        sign_in(watcher, "ada", [f"u{number}" for number in range(101)])
        assert (await watcher.event())["event"] == "pusher:signin_success"
        error = await watcher.event()
        assert (error["event"], error["data"]["code"]) == ("pusher:error", 4302)
        assert await changes(watcher) == {"offline": [f"u{number}" for number in range(100)]}
        late, watched = await it.client(shop), await it.client(shop)
        await late.signed_in("u100")
        await watched.signed_in("u99")
        assert await changes(watcher) == {"online": ["u99"]}
        for client in (watcher, late, watched):
            await client.gone()


@pytest.mark.parametrize("watchlist", ["bob", {"bob": 1}, [""], ["a b"], [None], [["bob"]], [True], ["x" * 200]])
async def test_a_watchlist_that_is_none_refuses_the_sign_in(region: str, watchlist: Any) -> None:
    shop = record(region, watchlist=True)
    async with world(shop) as it:
        client = await it.client(shop)
        sign_in(client, "ada", watchlist)
        error = await client.event()
        assert (error["event"], error["data"]["code"]) == ("pusher:error", 4009)
        assert queries.online_users(region=region, application_id=shop.application_id) == set()
        await client.nothing_more()
        await client.gone()


async def test_signing_in_again_replaces_the_watchlist(region: str) -> None:
    shop = record(region, watchlist=True)
    async with world(shop) as it:
        watcher, bob, eve = [await it.client(shop) for _ in range(3)]
        assert await watching(watcher, "ada", ["bob"]) == {"offline": ["bob"]}
        assert await watching(watcher, "ada", ["eve", "eve", 7]) == {"offline": ["eve", "7"]}
        await bob.signed_in("bob")
        await eve.signed_in("eve")
        assert await changes(watcher) == {"online": ["eve"]}
        await watcher.nothing_more()
        for client in (watcher, bob, eve):
            await client.gone()


async def test_a_watchlist_stays_in_its_application_and_behind_its_switch(region: str) -> None:
    shop, rival, off = record(region, watchlist=True), record(region, tenant_id=2), record(region)
    async with world(shop, rival, off) as it:
        watcher, stranger, unswitched = [await it.client(each) for each in (shop, rival, off)]
        assert await watching(watcher, "ada", ["bob"]) == {"offline": ["bob"]}
        await stranger.signed_in("bob")
        sign_in(unswitched, "ada", ["bob"])
        assert (await unswitched.event())["event"] == "pusher:signin_success"
        for client in (watcher, stranger, unswitched):
            await client.nothing_more()
        watcher.send("pusher:subscribe", {"channel": "#watch-bob", "auth": watcher.auth("#watch-bob")})
        assert (await watcher.event())["event"] == "pusher:subscription_error"
        for client in (watcher, stranger, unswitched):
            await client.gone()


async def left_nothing(it: World, region: str) -> None:
    engine = await it.plane.plane().engine(region)

    async def empty() -> bool:
        return not engine.hub.channels

    await eventually(empty)


async def test_who_is_online_is_known_without_a_watchlist_too(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        ada, nobody = await it.client(shop), await it.client(shop)
        await ada.signed_in("ada")
        assert queries.online_users(region=region, application_id=shop.application_id) == {"ada"}
        await ada.gone()
        await nobody.gone()
        await (await it.plane.plane().engine(region)).membership.flush()
        assert queries.online_users(region=region, application_id=shop.application_id) == set()
        await left_nothing(it, region)
