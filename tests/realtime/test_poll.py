"""Long poll on the log: every answer says where to go on, and nothing falls between two requests."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from apps.core import valkey
from apps.realtime import peers, queries
from apps.realtime.asgi import DataPlane
from apps.realtime.http import poll
from apps.tenants.queries import ApplicationRecord
from tests.realtime.test_recovery import publish
from tests.realtime.test_sse import signed_target
from tests.realtime.wire import Answer, World, record, world
from tests.realtime.xhr import Response

pytestmark = pytest.mark.usefixtures("clean_valkey")


async def polled(
    it: World, shop: ApplicationRecord, query: str, last: str = "", plane: DataPlane | None = None
) -> dict[str, Any]:
    """last: of the answer before."""
    path, signed = signed_target(shop, query + (f"&last_event_id={last.replace(' ', '%20')}" if last else ""), "poll")
    response = Response(plane or it.plane, f"{path}?{signed}", method="GET")
    assert await response.started() == 200
    await response.task
    return dict(json.loads(await response.line()))


def data(answer: dict[str, Any]) -> list[str]:
    return [event["data"] for event in answer["events"]]


async def test_polls_bring_everything_once_and_in_order_on_any_gateway(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        other = it.node()
        first = await polled(it, shop, "channels=news,private-a")
        assert (first["events"], first["recovered"]) == ([], {})
        await publish(it, shop, "news", 1)
        await publish(it, shop, "private-a", 2)
        await publish(it, shop, "news", 3)
        second = await polled(it, shop, "channels=news,private-a", first["last_event_id"], other)
        assert (data(second), second["recovered"]) == (["1", "3", "2"], {"news": True, "private-a": True})
        assert {"epoch", "offset", "message_id"} < second["events"][0].keys()
        waiting = asyncio.create_task(polled(it, shop, "channels=news,private-a", second["last_event_id"]))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await publish(it, shop, "private-a", 4)
        assert data(await waiting) == ["4"]


async def test_nothing_is_an_answer_too(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        await publish(it, shop, "news", 1)
        first = await polled(it, shop, "channels=news")
        second = await polled(it, shop, "channels=news&timeout=0", first["last_event_id"])
        assert (second["events"], second["last_event_id"]) == ([], first["last_event_id"])


async def test_a_place_without_a_message_id_will_do(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        await publish(it, shop, "news", 1)
        epoch = (await it.signed(shop, "GET", "/channels/news/history")).body["epoch"]
        assert data(await polled(it, shop, "channels=news", f"news/{epoch}/0")) == ["1"]


async def test_a_gap_is_said_at_once(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        await publish(it, shop, "news", 1)
        first = await polled(it, shop, "channels=news")
        valkey.connect(region).flushall()
        again = await polled(it, shop, "channels=news", first["last_event_id"])
        assert (again["events"], again["recovered"]) == ([], {"news": False})


async def test_rewind_begins_with_the_newest(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        for number in range(4):
            await publish(it, shop, "news", number)
        assert data(await polled(it, shop, "channels=news&rewind=2")) == ["2", "3"]


async def test_an_answer_is_bounded_and_the_rest_comes_with_the_next(
    region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll, "MAX_QUEUED_BYTES", 400)
    shop = record(region)
    async with world(shop) as it:
        last = (await polled(it, shop, "channels=news"))["last_event_id"]
        for number in range(10):
            await publish(it, shop, "news", number)
        seen: list[str] = []
        while len(seen) < 10:
            answer = await polled(it, shop, "channels=news", last)
            assert 0 < len(answer["events"]) < 10
            seen += data(answer)
            last = answer["last_event_id"]
        assert seen == [str(number) for number in range(10)]
        assert peers.MAX_QUEUED_BYTES == 1024 * 1024


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("channels=", "bad_request"),
        ("channels=a%20b", "bad_channel"),
        ("channels=presence-a", "bad_request"),
        ("channels=news&timeout=56", "bad_request"),
        ("channels=news&timeout=-1", "bad_request"),
        ("channels=news&last_event_id=news/e", "bad_request"),
    ],
)
async def test_a_poll_that_cannot_be_is_refused(region: str, query: str, code: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        answer = await call(it, shop, query)
        assert (answer.status, answer.body["code"]) == (400, code)


async def call(it: World, shop: ApplicationRecord, query: str) -> Answer:
    path, signed = signed_target(shop, query, "poll")
    return await it.call("GET", f"{path}?{signed}")


async def test_a_poll_needs_a_signature_for_its_own_channels_and_counts_while_it_waits(region: str) -> None:
    shop = record(region, max_connections=1)
    async with world(shop) as it:
        path, query = signed_target(shop, "channels=news", "poll")
        assert (await it.call("GET", f"{path}?{query.replace('news', 'private-a')}")).status == 401
        last = (await polled(it, shop, "channels=news"))["last_event_id"]
        path, query = signed_target(shop, f"channels=news&last_event_id={last}", "poll")
        waiting = Response(it.plane, f"{path}?{query}", method="GET")
        for _ in range(100):
            await asyncio.sleep(0.01)
            if queries.connection_count(region=region, tenant_id=1):
                break
        refused = await call(it, shop, "channels=news")
        assert (refused.status, refused.body["code"]) == (429, "connection_quota")
        await waiting.gone()
        await (await it.plane.plane().engine(region)).membership.flush()
        assert queries.connection_count(region=region, tenant_id=1) == 0
