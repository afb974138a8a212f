"""What `/metrics` tells of a gateway moves when the thing happens, by as much as happened."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from prometheus_client import REGISTRY

from apps.core import valkey
from apps.realtime import keys, probe
from apps.realtime.protocol import closing
from tests.realtime.test_closing import connection_of, refused
from tests.realtime.test_cluster import eventually
from tests.realtime.test_continuity import deaf
from tests.realtime.test_recovery import data_of, follow, place, publish
from tests.realtime.wire import Client, record, world

pytestmark = pytest.mark.usefixtures("clean_valkey")


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"pushsaas_realtime_{name}", labels) or 0.0


@contextmanager
def moves(name: str, by: float, **labels: str) -> Iterator[None]:
    before = value(name, **labels)
    yield
    assert value(name, **labels) - before == by, f"{name} {labels}"


async def test_gaps_are_counted_by_what_became_of_them(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        await follow(client, "news")
        await publish(it, shop, "news", 1)
        with (
            moves("gaps_total", 1, outcome="noticed"),
            moves("gaps_total", 1, outcome="repaired"),
            moves("gaps_total", 0, outcome="told"),
        ):
            await deaf(it, region, lambda: publish(it, shop, "news", 2))
            await publish(it, shop, "news", 3)
            assert await data_of(client, 3) == [1, 2, 3]
        with moves("gaps_total", 1, outcome="noticed"), moves("gaps_total", 1, outcome="told"):
            await deaf(it, region, lambda: publish(it, shop, "news", 4))
            valkey.connect(region).delete(keys.log(shop.application_id, "news"))
            await publish(it, shop, "news", 5)
            assert (await client.event())["event"] == "pusher:messages_lost"
        await client.gone()


async def test_resumes_are_counted_by_whether_they_were_recovered(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        with moves("resumes_total", 0, outcome="recovered"), moves("resumes_total", 0, outcome="unrecovered"):
            ack = await follow(client, "news")  # it has no place yet, so nothing is resumed
        await client.gone()
        back, late = await it.client(shop), await it.client(shop)
        with moves("resumes_total", 1, outcome="recovered"):
            assert (await follow(back, "news", place(ack)))["recovered"] is True
        with moves("resumes_total", 1, outcome="unrecovered"):
            assert (await follow(late, "news", {"epoch": "gone", "offset": 7}))["recovered"] is False
        await back.gone()
        await late.gone()


async def test_closes_are_counted_by_code_and_connections_while_they_are_open(region: str) -> None:
    shop = record(region, max_connections=2)
    async with world(shop) as it:
        with moves("connections", 2):
            silent, drained = await it.client(shop), await it.client(shop)
        with moves("closed_total", 1, code="4004"):
            assert await refused(Client(it.plane, shop)) == 4004
        with moves("closed_total", 1, code="4201"):
            connection_of(it, silent).close(closing.NO_PONG)
            connection_of(it, silent).close(closing.NO_PONG)  # once is enough
        with moves("connections", -1), moves("closed_total", 0, code="4201"):
            await silent.gone()
        with moves("closed_total", 1, code="4200"), moves("connections", -1):
            await it.plane.plane().drain(0)
            await drained.gone()


async def test_traffic_is_told_with_the_usage_it_is_billed_by(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        clients = [await it.client(shop) for _ in range(3)]
        for client in clients:
            await client.subscribed("news")
        engine = await it.plane.plane().engine(region)
        await engine.upkeep.flush_usage()
        with moves("published_total", 2), moves("delivered_total", 6):
            await publish(it, shop, "news", 1, 2)
            for client in clients:
                assert await data_of(client, 2) == [1, 2]
            await engine.upkeep.flush_usage()
        for client in clients:
            await client.gone()


async def test_a_loop_that_was_held_up_shows_its_lag(region: str) -> None:
    async with world(record(region)) as it:
        await it.plane.plane().engine(region)
        most = 0.0

        async def lagged() -> bool:
            nonlocal most
            time.sleep(0.6)  # noqa: ASYNC251  # the loop is to be late
            most = max(most, value("loop_lag_seconds"))
            return most > 0.2

        await eventually(lagged)


async def test_a_probe_that_never_comes_back_is_counted(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(record(region)) as it:
        engine = await it.plane.plane().engine(region)
        engine.upkeep.stop()
        engine.broker._on_messages = lambda messages: None
        monkeypatch.setattr(probe, "INTERVAL", 0.0)
        await engine.probe.tick()  # sent
        await engine.probe.tick()  # overdue
        await engine.upkeep._watch()
        assert value("probe_timeouts") == engine.probe.timeouts >= 1
