"""Tokens on connections: who gets in with which, what they allow there, and how they end."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from apps.realtime.tokens import grants
from tests.realtime.issuing import token
from tests.realtime.wire import Client, key_of, record, world
from tests.realtime.xhr import HttpClient

pytestmark = pytest.mark.usefixtures("clean_valkey")


async def test_a_connection_token_signs_in_and_a_channel_token_does_not(region: str) -> None:
    shop = record(region, tokens=True)
    async with world(shop) as it:
        client = await it.client(shop)
        client.send("pusher:signin", {"token": token(shop, sub="ada", channels=["private-a"])})
        refused = await client.event()
        assert (refused["event"], refused["data"]["code"]) == ("pusher:error", 4009)
        client.send("pusher:signin", {"token": token(shop, sub="ada", info={"name": "Ada"})})
        done = json.loads((await client.event())["data"])
        assert json.loads(done["user_data"]) == {"id": "ada", "user_info": {"name": "Ada"}}
        client.send("pusher:subscribe", {"channel": "#server-to-user-ada"})
        assert (await client.event())["event"] == "pusher_internal:subscription_succeeded"
        await it.published(shop, "#server-to-user-ada")
        assert (await client.event())["event"] == "e"
        await client.gone()


async def test_a_token_in_the_query_signs_in_and_a_bad_one_closes(region: str) -> None:
    shop = record(region, tokens=True)
    async with world(shop) as it:
        path = f"/app/{key_of(shop)[0]}?protocol=7&token="
        client = await Client(it.plane, shop, path + token(shop, sub="ada")).connected()
        assert (await client.event())["event"] == "pusher:signin_success"
        await client.gone()
        late = await Client(it.plane, shop, path + token(shop, -60, sub="ada")).connected()
        assert await late.closed() == 4009
        await late.gone()


async def test_a_channel_token_opens_what_it_covers_and_nothing_else(region: str) -> None:
    shop, rival = record(region, tokens=True), record(region, tokens=True)
    async with world(shop, rival) as it:
        client = await it.client(shop)
        text = token(shop, channels=["private-orders-*", "presence-room"], can=["subscribe"])
        assert await answer(client, "private-orders-7", text) == "ok"
        assert await answer(client, "private-other", text) == 403
        assert await answer(client, "presence-room", text) == 403  # it may not see who is there
        assert await answer(client, "private-orders-7x", token(rival, channels=["*"])) == 401
        assert await answer(client, "private-orders-8", token(shop, sub="ada")) == 403
        await it.published(shop, "private-orders-7")
        assert (await client.event())["event"] == "e"
        await client.gone()


async def answer(client: Client, channel: str, text: str, **more: Any) -> Any:
    """`ok`, or the status of the refusal."""
    client.send("pusher:subscribe", {"channel": channel, "token": text, **more})
    event = await client.event()
    assert event["channel"] == channel
    return "ok" if event["event"] == "pusher_internal:subscription_succeeded" else event["data"]["status"]


async def test_capabilities_decide_about_client_events_and_presence(region: str) -> None:
    shop = record(region, tokens=True)
    async with world(shop) as it:
        client, peer = await it.client(shop), await it.client(shop)
        await peer.subscribed("presence-room", "bo")
        all_of_it = token(shop, channel="presence-room", sub="ada", info={"n": 1}, can=["subscribe", "presence"])
        assert await answer(client, "presence-room", all_of_it, channel_data="{}") == 400
        client.send("pusher:subscribe", {"channel": "presence-room", "token": all_of_it})
        roster = json.loads((await client.event())["data"])["presence"]
        assert roster["hash"] == {"ada": {"n": 1}, "bo": None}
        assert json.loads((await peer.event())["data"])["user_id"] == "ada"
        client.send("client-wave", {}, channel="presence-room")
        assert (await client.event())["data"]["code"] == 4312
        await peer.nothing_more()
        louder = token(shop, channel="presence-room", sub="ada", can=["subscribe", "presence", "publish"])
        client.send("pusher:refresh_token", {"token": louder})
        assert (await client.event())["event"] == "pusher:token_refreshed"
        client.send("client-wave", {}, channel="presence-room")
        assert (await peer.event())["event"] == "client-wave"
        await client.gone()
        await peer.gone()


async def test_a_client_is_warned_refreshes_and_is_closed_when_it_does_not(
    region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = record(region, tokens=True)
    async with world(shop) as it:
        client = await it.client(shop)
        [connection] = it.plane.plane().connections()
        client.send("pusher:signin", {"token": token(shop, 20, sub="ada")})
        assert (await client.event())["event"] == "pusher:signin_success"
        assert await answer(client, "private-a", token(shop, 25, channel="private-a")) == "ok"
        grants.check(connection)
        grants.check(connection)  # warned once only
        warnings = [await client.event(), await client.event()]
        assert [(each["event"], each.get("channel")) for each in warnings] == [
            ("pusher:token_expiring", None), ("pusher:token_expiring", "private-a"),
        ]  # fmt: skip
        client.send("pusher:refresh_token", {"token": token(shop, 600, sub="bo")})
        assert (await client.event())["data"]["code"] == 4313
        client.send("pusher:refresh_token", {"token": token(shop, 600, sub="ada")})
        assert (await client.event())["event"] == "pusher:token_refreshed"
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + 60)
        grants.check(connection)
        lapsed = await client.event()
        assert (lapsed["event"], lapsed["channel"], lapsed["data"]["status"]) == (
            "pusher:subscription_error", "private-a", 401,
        )  # fmt: skip
        await client.nothing_more()
        await it.published(shop, "private-a")
        await client.nothing_more()
        monkeypatch.setattr(time, "time", lambda: real() + 590)
        grants.check(connection)
        assert (await client.event())["event"] == "pusher:token_expiring"
        monkeypatch.setattr(time, "time", lambda: real() + 620)
        grants.check(connection)
        assert await client.closed() == 4110
        await client.gone()


async def test_a_later_signature_outlives_the_token_before_it(region: str) -> None:
    shop = record(region, tokens=True)
    async with world(shop) as it:
        client = await it.client(shop)
        assert await answer(client, "private-a", token(shop, 20, channel="private-a")) == "ok"
        await client.subscribed("private-a")
        [connection] = it.plane.plane().connections()
        assert connection.grants is not None
        assert not connection.grants.channels
        await client.gone()


async def test_the_http_fallback_takes_a_token_in_its_query(region: str) -> None:
    shop = record(region, tokens=True)
    async with world(shop) as it:
        text = token(shop, sub="ada")
        client = await HttpClient(shop, it.plane, query=f"protocol=7&token={text}").connected()
        assert (await client.event())["event"] == "pusher:signin_success"
        await client.gone()


async def test_who_listens_by_http_may_bring_a_token(region: str) -> None:
    shop = record(region, tokens=True)
    async with world(shop) as it:
        path = f"/apps/{shop.application_id}/poll?timeout=0&channels=private-a,news"
        good = await it.call("GET", f"{path}&token={token(shop, channel='private-a')}")
        assert good.status == 200
        for text in (token(shop, channel="private-b"), token(shop, sub="ada"), "x.y.z", token(shop, -60, channel="*")):
            assert (await it.call("GET", f"{path}&token={text}")).status == 401
