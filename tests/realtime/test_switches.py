"""Every switch of an application, off: a clear code. And on, beside it: the very same request is served."""

from __future__ import annotations

from typing import Any

import pytest

from tests.realtime.wire import Client, key_of, record, world
from tests.realtime.xhr import Response

pytestmark = pytest.mark.usefixtures("clean_valkey")

WISHES = {
    "recovery": {"channel": "news", "position": {"epoch": "e", "offset": 0}},
    "rewind": {"channel": "news", "rewind": 1},
}


@pytest.mark.parametrize("setting", WISHES)
async def test_recovery_and_rewind_are_refused_when_off(region: str, setting: str) -> None:
    closed, opened = record(region, **{setting: False}), record(region)
    async with world(closed, opened) as it:
        refused, served = await it.client(closed), await it.client(opened)
        for client in (refused, served):
            client.send("pusher:subscribe", WISHES[setting])
        error = await refused.event()
        assert (error["event"], error["data"]["type"], error["data"]["status"]) == (
            "pusher:subscription_error", "SwitchedOff", 403,
        )  # fmt: skip
        assert (await served.event())["event"] == "pusher_internal:subscription_succeeded"
        refused.send("pusher:subscribe", {"channel": "news", "position": True})
        assert (await refused.event())["event"] == "pusher_internal:subscription_succeeded"
        await refused.gone()
        await served.gone()


@pytest.mark.parametrize(
    ("setting", "path", "query"),
    [
        ("history_api", "/channels/news/history", ""),
        ("http_streams", "/poll", "channels=news&timeout=0"),
        ("recovery", "/poll", "channels=news&timeout=0&last_event_id=news/e/0/"),
        ("rewind", "/poll", "channels=news&timeout=0&rewind=1"),
    ],
)
async def test_calls_are_refused_when_off(region: str, setting: str, path: str, query: str) -> None:
    closed, opened = record(region, **{setting: False}), record(region)
    async with world(closed, opened) as it:
        refused = await it.signed(closed, "GET", path, query=query)
        assert (refused.status, refused.body["code"], refused.body["setting"]) == (403, "switched_off", setting)
        assert (await it.signed(opened, "GET", path, query=query)).status == 200


async def test_streams_are_refused_when_off(region: str) -> None:
    closed = record(region, http_streams=False)
    async with world(closed) as it:
        refused = await it.signed(closed, "GET", "/sse", query="channels=news")
        assert (refused.status, refused.body["code"]) == (403, "switched_off")


async def test_the_http_fallback_is_refused_when_off(region: str) -> None:
    closed, opened = record(region, http_fallback=False), record(region)
    async with world(closed, opened) as it:
        for shop, status in ((closed, 403), (opened, 200)):
            path = f"/pusher/app/{key_of(shop)[0]}/100/abcd0123/xhr_streaming?protocol=7"
            response = Response(it.plane, path)
            assert await response.started() == status
            await response.gone()


async def test_tls_is_demanded_of_every_client_and_call(region: str) -> None:
    strict = record(region, tls_required=True)
    async with world(strict) as it:
        client = Client(it.plane, strict)
        await client.received()
        assert await client.closed() == 4000
        await client.gone()
        call = {"name": "e", "channel": "news", "data": "1"}
        refused = await it.signed(strict, "POST", "/events", call)
        assert (refused.status, refused.body["code"]) == (403, "tls_required")
        assert (await it.signed(strict, "GET", "/poll", query="channels=news&timeout=0")).status == 403


async def test_tls_ended_at_a_trusted_proxy_counts(region: str, settings: Any) -> None:
    strict, forwarded = record(region, tls_required=True), {b"x-forwarded-proto": b"https"}
    call = {"name": "e", "channel": "news", "data": "1"}
    async with world(strict) as it:
        settings.TRUSTED_HOPS = 0
        assert (await it.signed(strict, "POST", "/events", call, headers=forwarded)).status == 403
        settings.TRUSTED_HOPS = 1
        assert (await it.signed(strict, "POST", "/events", call, headers=forwarded)).status == 200


async def test_limits_of_a_connection_hold(region: str) -> None:
    small = record(region, max_subscriptions=1, max_user_info_bytes=10)
    async with world(small) as it:
        client = await it.client(small)
        data = '{"user_id":"ada","user_info":{"name":"much too long"}}'
        client.send("pusher:subscribe", {
            "channel": "presence-room", "channel_data": data, "auth": client.auth("presence-room", data),
        })  # fmt: skip
        assert (await client.event())["data"]["status"] == 413
        await client.subscribed("news")
        client.send("pusher:subscribe", {"channel": "more"})
        assert (await client.event())["data"]["status"] == 429
        await client.gone()
