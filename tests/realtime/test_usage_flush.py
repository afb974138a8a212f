"""What the plane counts, and that billing gets it exactly once however often it is repeated."""

from __future__ import annotations

import json
from typing import Any

import pytest

from apps.core import valkey
from apps.realtime import keys, publish
from apps.realtime.counters import Counters
from apps.realtime.protocol.frames import frame
from apps.realtime.publish import UserMessage
from apps.realtime.usage import UsageLog
from tests.realtime.wire import record, world

pytestmark = pytest.mark.usefixtures("clean_valkey")


def records(region: str) -> list[dict[str, Any]]:
    return [json.loads(fields[b"r"]) for _, fields in valkey.connect(region).xrange(keys.USAGE)]


async def test_publications_and_deliveries_are_counted_per_application(region: str) -> None:
    shop = record(region, tenant_id=5)
    async with world(shop) as it:
        clients = [await it.client(shop) for _ in range(3)]
        for client in clients:
            await client.subscribed("news")
        await it.published(shop, "news", data="x")
        sizes = [len(frame(json.dumps(await client.event(), separators=(",", ":")).encode())) for client in clients]
        engine = await it.plane.plane().engine(region)
        await engine.upkeep.flush_usage()
        [made] = records(region)
        assert (made["tenant_id"], made["application_id"], made["seq"]) == (5, shop.application_id, 1)
        assert (made["published"], made["delivered"], made["bytes"], made["peak"]) == (1, 3, sum(sizes), 3)
        for client in clients:
            await client.gone()


async def test_a_record_is_repeated_until_billing_has_it(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.realtime.usage.REPEAT_AFTER", 0.0)
    shop = record(region)
    async with world(shop) as it:
        engine = await it.plane.plane().engine(region)
        await it.published(shop, "news")
        await engine.upkeep.flush_usage()
        await engine.usage.flush()
        first, second = records(region)
        assert first == second
        valkey.connect(region).hset(keys.USAGE_ACKED, first["node"], first["seq"])
        await engine.usage.flush()
        valkey.connect(region).delete(keys.USAGE)
        await engine.usage.flush()
        assert records(region) == []


def test_a_publish_of_the_control_plane_is_counted_too(region: str) -> None:
    publish.publish(region=region, application_id="7", tenant_id=3, channels=["a", "b"], event="e", data="1")
    assert [(made["published"], made["tenant_id"]) for made in records(region)] == [(2, 3)]


async def test_a_message_to_a_user_says_whether_anybody_was_there(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        await client.signed_in("ada")
        client.send("pusher:subscribe", {"channel": "#server-to-user-ada", "auth": ""})
        await client.event()
        receivers = publish.publish_to_users(
            region=region,
            application_id=shop.application_id,
            tenant_id=shop.tenant_id,
            messages=[UserMessage(name, "notification", "{}", f"id-{name}") for name in ("ada", "bob", "no such id")],
        )
        assert receivers == [1, 0, 0]
        assert [made["published"] for made in records(region)] == [1]
        assert (await client.event())["event"] == "notification"
        assert valkey.connect(region).exists(keys.log(shop.application_id, "#server-to-user-ada")) == 0
        await client.gone()


async def test_what_a_log_keeps_is_counted_as_stored(region: str) -> None:
    shop, forgetful = record(region, tenant_id=5), record(region, tenant_id=6, history_size=0)
    async with world(shop, forgetful) as it:
        for application in (shop, forgetful):
            await it.published(application, "news")
            await it.published(application, "#server-to-user-ada")
        engine = await it.plane.plane().engine(region)
        await engine.upkeep.flush_usage()
        assert {made["tenant_id"]: (made["published"], made["stored"]) for made in records(region)} == {
            5: (2, 1),
            6: (2, 0),
        }


def test_connection_time_is_told_in_whole_minutes_and_the_rest_is_carried_on() -> None:
    counters, told = Counters(), []
    for seconds in (50.0, 50.0, 100.0, 41.0):
        counters.connection_seconds += seconds
        if not counters.is_empty:
            log = UsageLog(None, "a")  # type: ignore[arg-type]  # nothing is sent
            log.note(1, "7", counters)
            told.append(log._kept[-1].record.connection_seconds)
            counters.start_again()
    assert told == [60, 120, 60]
    assert counters.connection_seconds == 1.0


async def test_a_begun_minute_outlives_the_application_being_forgotten(region: str) -> None:
    shop = record(region)
    async with world(shop) as here:
        client = await here.client(shop)
        [engine] = here.plane.plane().engines
        client.leave(1000)
        await client.gone()
        counters = engine.applications[shop.application_id].counters
        counters.start_again()
        counters.connection_seconds = 20.0
        engine.upkeep._forget_idle_applications()
        assert shop.application_id not in engine.applications
        await here.client(shop)
        await engine.upkeep.flush_usage()
        assert engine.applications[shop.application_id].counters.connection_seconds >= 20.0
