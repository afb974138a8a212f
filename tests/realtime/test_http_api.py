"""The Pusher HTTP API: every limit with its status, and nothing published by what is refused."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from apps.core import clock, valkey
from apps.realtime import allowances
from apps.tenants.queries import KeyRecord
from tests.realtime.wire import World, record, world

pytestmark = pytest.mark.usefixtures("clean_valkey")
EVENT = {"name": "e", "channel": "news", "data": "1"}


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"name": ""}, 400, "bad_event"),
        ({"name": None}, 400, "bad_event"),
        ({"name": "x" * 201}, 400, "bad_event"),
        ({"name": "pusher:ping"}, 400, "bad_event"),
        ({"name": "pusher_internal:x"}, 400, "bad_event"),
        ({"data": {"an": "object"}}, 400, "bad_event"),
        ({"data": None}, 400, "bad_event"),
        ({"data": "x" * 10_241}, 413, "event_too_large"),
        ({"data": "é" * 5_121}, 413, "event_too_large"),
        ({"channel": "a b"}, 400, "bad_channel"),
        ({"channel": "x" * 165}, 400, "bad_channel"),
        ({"channel": "#x"}, 400, "bad_channel"),
        ({"channel": 7}, 400, "bad_event"),
        ({"channel": None}, 400, "bad_event"),
        ({"channels": []}, 400, "bad_event"),
        ({"channels": ["a"] * 101}, 400, "bad_event"),
        ({"channels": ["a", 7]}, 400, "bad_channel"),
        ({"channels": ["news", "private-encrypted-a"]}, 400, "bad_event"),
        ({"socket_id": "1"}, 400, "bad_event"),
        ({"socket_id": "1.1:x"}, 400, "bad_event"),
        ({"info": "everything"}, 400, "bad_request"),
        ({"info": ["user_count"]}, 400, "bad_request"),
    ],
)
async def test_a_bad_event_is_refused_and_nobody_hears_of_it(
    region: str, change: dict[str, Any], status: int, code: str
) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        await client.subscribed("news")
        answer = await it.signed(shop, "POST", "/events", {**EVENT, **change})
        assert (answer.status, answer.body["code"]) == (status, code)
        await client.nothing_more()
        await client.gone()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "bad_request"),
        (b"[]", 400, "bad_request"),
        (b"\xff", 400, "bad_request"),
        (b"[" * 3_000, 400, "bad_request"),
        (b'{"name":"e","channel":"news","data":"\\ud800"}', 400, "bad_request"),
        (b"x" * 600_000, 413, "body_too_large"),
    ],
)
async def test_a_malformed_body_is_refused(region: str, body: bytes, status: int, code: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        answer = await it.signed(shop, "POST", "/events", body)
        assert (answer.status, answer.body["code"]) == (status, code)


@pytest.mark.parametrize(
    "batch", [None, [], {}, [7], [EVENT] * 11, [{**EVENT, "channel": "a b"}], [{**EVENT, "channels": ["a", "b"]}]]
)
async def test_a_bad_batch_publishes_none_of_its_events(region: str, batch: Any) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        await client.subscribed("news")
        bad = [EVENT, *batch] if isinstance(batch, list) and len(batch) == 1 else batch
        answer = await it.signed(shop, "POST", "/batch_events", {"batch": bad})
        assert answer.status == 400
        await client.nothing_more()
        await client.gone()


async def test_a_suspended_tenant_publishes_nothing_but_still_reads(region: str) -> None:
    shop = replace(record(region), suspended=True)
    async with world(shop) as it:
        client = await it.client(shop)
        await client.subscribed("news")
        for path, body in (("/events", EVENT), ("/batch_events", {"batch": [EVENT]})):
            answer = await it.signed(shop, "POST", path, body)
            assert (answer.status, answer.body["code"]) == (402, "tenant_suspended")
        await client.nothing_more()
        assert (await it.signed(shop, "GET", "/channels")).status == 200
        await client.gone()


async def test_a_stale_timestamp_is_refused(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        answer = await it.signed(shop, "POST", "/events", EVENT, now=time.time() - 700)
        assert (answer.status, answer.body["code"]) == (401, "not_authentic")


async def test_an_unknown_application_path_or_method_is_told_so(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        assert (await it.call("POST", "/apps/404/events?auth_key=x", b"{}")).status == 404
        assert (await it.signed(shop, "GET", "/nothing")).body["code"] == "unknown_path"
        answer = await it.signed(shop, "GET", "/events")
        assert (answer.status, answer.headers[b"allow"]) == (405, b"POST")


def api_key(application: Any, *scopes: str) -> KeyRecord:
    return KeyRecord(
        tenant_id=1, public_id="key_1", name="k", application_pk=1, region="local",
        application_id=application.application_id, application_enabled=True, scopes=frozenset(scopes), expires_at=None,
    )  # fmt: skip


async def _bearer(it: World, application: Any, token: str) -> int:
    target = f"/apps/{application.application_id}/events"
    return (
        await it.call("POST", target, json.dumps(EVENT).encode(), {b"authorization": b"Bearer " + token.encode()})
    ).status


async def test_a_bearer_key_needs_the_scope_and_its_own_application(region: str) -> None:
    shop, rival = record(region), record(region)
    async with world(shop, rival) as it:
        it.source.keys = {"good": api_key(shop, "publish"), "weak": api_key(shop, "usage.read")}
        assert await _bearer(it, shop, "good") == 200
        assert await _bearer(it, shop, "weak") == 403
        assert await _bearer(it, shop, "unknown") == 401
        assert await _bearer(it, rival, "good") == 404


async def test_a_token_that_is_known_still_ends_in_time(region: str) -> None:
    shop = record(region)
    token = replace(api_key(shop, "publish"), expires_at=clock.now() + timedelta(minutes=15))
    async with world(shop) as it:
        it.source.keys = {"token": token}
        assert await _bearer(it, shop, "token") == 200
        with time_machine.travel(clock.now() + timedelta(minutes=15)):
            assert await _bearer(it, shop, "token") == 401


async def test_a_repeated_idempotency_key_publishes_once(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        await client.subscribed("news")
        for _ in range(2):
            answer = await it.signed(shop, "POST", "/events", EVENT, headers={b"idempotency-key": b"once"})
            assert answer.status == 200
        await client.event()
        await client.nothing_more()
        await client.gone()


async def test_a_spent_allowance_refuses_with_403_and_publishes_nothing(region: str) -> None:
    shop = record(region, tenant_id=11)
    allowances.offer(valkey.connect(region), 11, messages=1)
    async with world(shop) as it:
        client = await it.client(shop)
        await client.subscribed("news")
        await it.published(shop, "news")
        await client.event()
        answer = await it.signed(shop, "POST", "/events", EVENT)
        assert (answer.status, answer.body["code"]) == (403, "quota_exceeded")
        await client.nothing_more()
        await client.gone()


async def test_an_unknown_allowance_is_asked_for_and_lent_a_grace(region: str) -> None:
    shop = record(region, tenant_id=12)
    async with world(shop) as it:
        event = {**EVENT, "channels": [f"c{number}" for number in range(100)]}
        for _ in range(10):
            assert (await it.signed(shop, "POST", "/events", event)).status == 200
        answer = await it.signed(shop, "POST", "/events", EVENT)
        assert (answer.status, answer.body["code"]) == (503, "allowance_unavailable")
        assert allowances.asked(valkey.connect(region)) == [12]
        allowances.offer(valkey.connect(region), 12, messages=5)
        assert (await it.signed(shop, "POST", "/events", EVENT)).status == 200
        assert allowances.asked(valkey.connect(region)) == []


async def test_the_publish_rate_is_bounded(region: str) -> None:
    shop = record(region, max_publishes_per_second=2)
    async with world(shop) as it:
        answers = [await it.signed(shop, "POST", "/events", {**EVENT, "channels": ["a", "b"]}) for _ in range(2)]
        assert [answer.status for answer in answers] == [200, 429]
        assert answers[1].headers[b"retry-after"] == b"1"


async def test_an_absent_broker_is_503_and_not_200(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        engine = await it.plane.plane().engine(region)
        engine.lines.close()
        await asyncio.sleep(0)
        answer = await it.signed(shop, "POST", "/events", EVENT)
        assert (answer.status, answer.body["code"]) == (503, "broker_unavailable")
