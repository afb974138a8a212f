"""A gateway takes no newcomers before it collapses; what an application may publish is one number for all of them."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from prometheus_client import REGISTRY

from apps.realtime import keys, scripts
from apps.realtime.link import Lines
from apps.realtime.pressure import LATE_IN_A_ROW, Pressure
from apps.realtime.rates import PublishRates
from tests.realtime.test_closing import refused
from tests.realtime.wire import Client, record, world

pytestmark = pytest.mark.usefixtures("clean_valkey")
RATE = 40


async def test_a_gateway_whose_loop_is_late_again_and_again_takes_no_newcomers(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        engine = await it.plane.plane().engine(region)
        client = await it.client(shop)
        for _each in range(LATE_IN_A_ROW):
            engine.pressure.beat(1.5)
        before = REGISTRY.get_sample_value("pushsaas_realtime_closed_total", {"code": "4100"}) or 0
        assert await refused(Client(it.plane, shop)) == 4100
        assert REGISTRY.get_sample_value("pushsaas_realtime_closed_total", {"code": "4100"}) == before + 1
        await client.subscribed("news")  # who is here is served on
        engine.pressure.beat(0.0)
        await (await it.client(shop)).gone()
        await client.gone()


def test_one_late_beat_is_nothing(settings: Any) -> None:
    pressure = Pressure()
    for late in (5.0, 5.0, 0.0, 5.0, 5.0):
        pressure.beat(late)
        assert not pressure.is_too_high


def test_memory_beyond_its_bound_refuses_and_within_it_admits(settings: Any) -> None:
    pressure = Pressure()
    settings.GATEWAY_MAX_MEMORY = 1
    pressure.beat(0.0)
    assert pressure.is_too_high
    settings.GATEWAY_MAX_MEMORY = 1_000_000
    pressure.beat(0.0)
    assert not pressure.is_too_high


async def test_the_publish_rate_is_one_for_all_gateways(region: str, settings: Any) -> None:
    lines = [Lines(settings.VALKEY_URLS[region], scripts.loads()) for _each in range(3)]
    for line in lines:
        await line.connect()
    gateways, shop, began = [PublishRates(line) for line in lines], record(region), time.monotonic()
    taken = [await gateway.take(shop.application_id, RATE, 1) for _each in range(2 * RATE) for gateway in gateways]
    elapsed = time.monotonic() - began
    other = await gateways[0].take("another", RATE, 1)
    for line in lines:
        line.close()
    # The bucket's second, what flowed in meanwhile, and nothing for the second and third gateway.
    assert RATE <= sum(taken) <= RATE * (1 + elapsed) + 1
    assert other


async def test_many_who_ask_at_once_take_one_block(region: str, settings: Any) -> None:
    line = Lines(settings.VALKEY_URLS[region], scripts.loads())
    await line.connect()
    rates, shop = PublishRates(line), record(region)
    taken = await asyncio.gather(*(rates.take(shop.application_id, 10_000, 1) for _each in range(100)))
    left = int(await line.call("HGET", keys.publish_rate(shop.application_id), "left"))
    line.close()
    assert all(taken)
    assert left == 10_000 - 500
