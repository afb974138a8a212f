"""A connection that somebody follows in the console: its frames are kept, and only while it is followed."""

from __future__ import annotations

import pytest

from apps.core import valkey
from apps.realtime import keys, queries
from tests.realtime.wire import record, world

pytestmark = pytest.mark.usefixtures("clean_valkey")


async def test_frames_both_ways_and_the_close_are_kept_while_somebody_looks(region: str) -> None:
    shop = record(region)
    place = {"region": region, "application_id": shop.application_id}
    async with world(shop) as it:
        client, other = await it.client(shop), await it.client(shop)
        await client.subscribed("news")
        await other.subscribed("news")
        engine = it.plane.plane().engines[0]

        async def refresh() -> None:
            await engine.tracer.refresh(list(engine.applications.values()), "node")
            await engine.lines.call("PING")

        queries.follow(**place, socket_id=client.socket_id)
        await refresh()
        await it.published(shop, "news", "hello")
        for each in (client, other):
            assert (await each.event())["event"] == "hello"
        client.send("pusher:ping")
        assert (await client.event())["event"] == "pusher:pong"
        await engine.lines.call("PING")
        steps = [(step.way, step.text) for step in queries.trail(**place, socket_id=client.socket_id)]
        assert [way for way, _ in steps] == ["out", "in", "out"]
        assert "hello" in steps[-1][1]
        assert queries.trail(**place, socket_id=other.socket_id) == []
        valkey.connect(region).delete(keys.followed(shop.application_id))
        await refresh()
        await it.published(shop, "news", "unseen")
        for each in (client, other):
            assert (await each.event())["event"] == "unseen"
        await engine.lines.call("PING")
        assert len(queries.trail(**place, socket_id=client.socket_id)) == len(steps)
        await client.gone()
        await other.gone()
