"""Whatever a client sends: an answer of ours, never a crash, never a 5xx, and nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.realtime.connection import Connection
from apps.realtime.http import fallback
from apps.realtime.protocol.frames import FrameError, FrameReader, frame
from tests.realtime.wire import record, world
from tests.realtime.xhr import HttpClient

pytestmark = pytest.mark.usefixtures("clean_valkey")
_FEW = settings(
    max_examples=25, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
NAMES = st.sampled_from(["news", "private-a", "presence-a", "cache-a", "#server-to-user-x", "", "private-encrypted-a"])
EVENTS = st.sampled_from([
    "pusher:subscribe", "pusher:unsubscribe", "pusher:signin", "pusher:ping", "pusher:pong", "client-x",
    "pusher_internal:member_added", "",
])  # fmt: skip
FIELDS = st.dictionaries(
    st.sampled_from(["channel", "auth", "channel_data", "position", "rewind", "user_data"]), NAMES | VALUES, max_size=5
)
MESSAGES = st.fixed_dictionaries(
    {"event": EVENTS | VALUES}, optional={"data": FIELDS | VALUES, "channel": NAMES | VALUES}
).map(json.dumps)
TEXTS = MESSAGES | st.text(max_size=200) | VALUES.map(json.dumps)


@_FEW
@given(texts=st.lists(TEXTS, min_size=1, max_size=20))
def test_no_frame_breaks_a_connection(region: str, texts: list[str]) -> None:
    async def scenario() -> None:
        shop = record(region)
        async with world(shop) as it:
            client = await it.client(shop)
            for text in texts:
                client.send_text(text)
            client.send("pusher:ping", {"last": True})
            client.send_text('{"event":"the end"}')
            while (await client.event()).get("data") != {"message": _UNKNOWN, "code": 4311}:
                pass
            await client.gone()

    asyncio.run(scenario())


_UNKNOWN = "There is no event 'the end' that a client may send"

PATHS = st.sampled_from([
    "/events", "/batch_events", "/channels", "/channels/news", "/channels/presence-a/users", "/channels/news/history",
    "/users/ada/terminate_connections", "/poll", "/channels/%00",
    "/channels/%ff", "/users/%23/terminate_connections", "/no",
])  # fmt: skip
BODIES = (
    st.fixed_dictionaries(
        {},
        optional={
            "name": SCALARS,
            "data": SCALARS,
            "channel": NAMES | VALUES,
            "channels": st.lists(NAMES | SCALARS, max_size=3),
            "socket_id": SCALARS,
            "info": SCALARS,
            "batch": VALUES,
        },
    )
    | VALUES
    | st.binary(max_size=100)
)
QUERIES = st.sampled_from([
    "", "info=user_count", "info=x", "filter_by_prefix=presence-", "limit=0", "limit=9&direction=forwards", "since=e:1",
    "since=%00", "a=%zz", "channels[]=news", "a=b=c;d", "channels=news",
    "channels=news&timeout=x", "channels=a,b&last_event_id=a/e/1", "channels=a&rewind=3", "limit=%F0%9F%98%80", "&&==&",
])  # fmt: skip


@_FEW
@given(
    calls=st.lists(
        st.tuples(st.sampled_from(["GET", "POST", "PUT", "DELETE"]), PATHS, BODIES, QUERIES), min_size=1, max_size=15
    )
)
def test_no_signed_call_is_answered_with_a_5xx(region: str, calls: list[tuple[str, str, Any, str]]) -> None:
    async def scenario() -> None:
        shop = record(region)
        async with world(shop) as it:
            for method, path, body, query in calls:
                answer = await it.signed(shop, method, path, None if method == "GET" else body, query)
                assert answer.status < 500, (method, path, body, query, answer.body)
                assert isinstance(answer.body, dict)

    asyncio.run(scenario())


@_FEW
@given(
    target=st.text(max_size=60), body=st.binary(max_size=60), method=st.sampled_from(["GET", "POST"]),
    headers=st.dictionaries(st.sampled_from([b"authorization", b"content-length"]), st.binary(max_size=20), max_size=2),
)  # fmt: skip
def test_no_unsigned_call_is_answered_with_a_5xx(
    region: str, target: str, body: bytes, method: str, headers: dict[bytes, bytes]
) -> None:
    async def scenario() -> None:
        async with world(record(region)) as it:
            answer = await it.call(method, "/apps/" + target, body, headers)
            assert 400 <= answer.status < 500

    asyncio.run(scenario())


SEGMENTS = st.sampled_from(["/1/abcdefgh", "/999/00000000", "/1000/abcdefgh", "/1/ABCDEFGH", "/1/abc", "", "/%31"])
SENT = VALUES.map(json.dumps).map(str.encode) | st.binary(max_size=60) | st.lists(TEXTS).map(json.dumps).map(str.encode)


@_FEW
@given(
    segments=SEGMENTS, verb=st.sampled_from(["xhr_send", "xhr_sendx", "XHR"]), body=SENT, query=QUERIES,
    key=st.sampled_from(["", "k", "%00", None]), method=st.sampled_from(["POST", "OPTIONS", "PUT"]),
)  # fmt: skip
def test_no_request_of_the_http_transports_is_answered_with_a_5xx(
    region: str, segments: str, verb: str, key: str | None, body: bytes, method: str, query: str
) -> None:
    async def scenario() -> None:
        shop = record(region)
        async with world(shop) as it:
            client = await HttpClient(shop, it.plane).connected()
            target = f"/pusher/app/{client.key if key is None else key}{segments}/{verb}"
            if key is None and verb == "xhr_send":
                target = f"{client.base}/xhr_send"
            if fallback.is_ours(target):
                assert (await it.call(method, f"{target}?{query}", body)).status < 500
            client.send_text('{"event":"the end"}')
            while (await client.event()).get("data") != {"message": _UNKNOWN, "code": 4311}:
                pass
            await client.gone()

    asyncio.run(scenario())


@given(data=st.binary(max_size=400), cut=st.integers(1, 50), limit=st.integers(1, 300))
@settings(deadline=None)
def test_no_bytes_break_the_frame_reader(data: bytes, cut: int, limit: int) -> None:
    reader, size = FrameReader(limit), 0
    with suppress(FrameError):
        for start in range(0, len(data), cut):
            size += sum(len(received.payload) for received in reader.feed(data[start : start + cut]))
    assert size <= len(data)


@given(payload=st.binary(max_size=70_000), mask=st.binary(min_size=4, max_size=4), cut=st.integers(1, 9_000))
@settings(deadline=None, max_examples=40)
def test_a_frame_is_read_back_however_it_is_cut(payload: bytes, mask: bytes, cut: int) -> None:
    wire = frame(payload)
    at = len(wire) - len(payload)
    masked = bytes(byte ^ mask[number % 4] for number, byte in enumerate(payload))
    sent = bytes([wire[0], wire[1] | 0x80]) + wire[2:at] + mask + masked
    reader = FrameReader(70_000)
    received = [each for start in range(0, len(sent), cut) for each in reader.feed(sent[start : start + cut])]
    assert [each.payload for each in received] == [payload]


async def test_sudden_ends_leave_no_connection_behind(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        for _ in range(50):
            client = await it.client(shop)
            client.send("pusher:subscribe", {"channel": "news", "position": True})
            client.send("pusher:subscribe", {"channel": "presence-a", "auth": "x"})
            await client.gone()
        engine = await it.plane.plane().engine(region)
        await engine.membership.flush()
        del client
        gc.collect()
        assert engine.hub.channels == {}
        assert [each for each in gc.get_objects() if type(each) is Connection and each.engine is engine] == []
