"""Ready is a gateway to which publications come back, not one whose socket is open."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from apps.realtime import probe
from tests.realtime.test_cluster import eventually
from tests.realtime.test_recovery import data_of, publish
from tests.realtime.wire import record, world

pytestmark = pytest.mark.usefixtures("clean_valkey")


async def test_a_deaf_broker_connection_is_said_rebuilt_and_forgotten(
    region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        await client.subscribed("news")
        [engine] = it.plane.plane().engines
        engine.upkeep.stop()
        assert it.plane.problem() == ""
        link: Any = engine.broker._link
        link._on_pushes = lambda pushes: None  # open, and nothing comes
        monkeypatch.setattr(probe, "INTERVAL", 0.05)
        await asyncio.sleep(0.06)
        await engine.probe.tick()
        assert it.plane.problem() == "", "a probe under way is no fault"
        await asyncio.sleep(0.06)
        assert (engine.broker.is_connected, it.plane.problem()) == (
            True, "what is published does not come back from the broker",
        )  # fmt: skip
        monkeypatch.setattr(probe, "INTERVAL", 5.0)
        engine.probe._sent_at = 0.0  # long ago
        engine.broker.received_at = 0.0
        await publish(it, shop, "news", 1)  # into the void
        await engine.probe.tick()

        async def rebuilt() -> bool:
            return engine.broker.rebuilds == 1 and it.plane.problem() == ""

        await eventually(rebuilt)
        assert engine.probe.timeouts == 1
        assert await data_of(client, 1) == [1]
        await client.gone()


async def test_a_draining_gateway_and_one_without_a_broker_are_not_ready(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        plane = it.plane.plane()
        assert it.plane.problem() == "not connected to the broker yet"
        await (await it.client(shop)).gone()
        assert it.plane.problem() == ""
        await plane.drain(0)
        assert it.plane.problem() == "draining"
