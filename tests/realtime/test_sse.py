"""Server-sent events: the same log, resumed by Last-Event-ID, for nobody without a signature or key."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from apps.core import valkey
from apps.realtime import queries
from apps.realtime.asgi import DataPlane
from apps.realtime.peers import BACKLOG
from apps.realtime.protocol import signing
from apps.tenants.queries import ApplicationRecord
from tests.realtime.test_recovery import publish
from tests.realtime.wire import PATIENCE, key_of, record, world

pytestmark = pytest.mark.usefixtures("clean_valkey")


def signed_target(shop: ApplicationRecord, query: str, door: str = "sse") -> tuple[str, str]:
    key, secret = key_of(shop)
    path = f"/apps/{shop.application_id}/{door}"
    full = f"auth_key={key}&auth_timestamp={int(time.time())}&auth_version=1.0&{query}"
    text = signing.request_text(
        signing.SignedRequest("GET", path, full.encode(), b""), signing.query_pairs(full.encode())
    )
    return path, f"{full}&auth_signature={signing.sign(secret, text)}"


class Stream:
    """One EventSource of the test."""

    def __init__(
        self, plane: DataPlane, shop: ApplicationRecord, query: str, last_event_id: str = "", **extensions: Any
    ) -> None:
        path, signed = signed_target(shop, query)
        headers = [(b"last-event-id", last_event_id.encode())] if last_event_id else []
        scope = {
            "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": signed.encode(),
            "headers": headers, "extensions": extensions,
        }  # fmt: skip
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._outbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._inbox.put_nowait({"type": "http.request", "body": b""})
        self._text = ""
        self.id = last_event_id
        self.task = asyncio.create_task(plane(scope, self._inbox.get, self._outbox.put))

    async def started(self) -> int:
        return int((await asyncio.wait_for(self._outbox.get(), PATIENCE))["status"])

    async def block(self) -> str:
        """The next block of lines; empty at the end of the stream."""
        while "\n\n" not in self._text:
            message = await asyncio.wait_for(self._outbox.get(), PATIENCE)
            self._text += message["body"].decode()
            if not message.get("more_body"):
                return ""
        block, _, self._text = self._text.partition("\n\n")
        return block

    async def event(self) -> dict[str, Any]:
        first, second = (await self.block()).split("\n")
        assert (first[:4], second[:6]) == ("id: ", "data: ")
        self.id = first[4:]
        return dict(json.loads(second[6:]))

    async def gone(self) -> None:
        self._inbox.put_nowait({"type": "http.disconnect"})
        await asyncio.wait_for(self.task, PATIENCE)


async def test_a_stream_resumes_every_channel_where_it_stood(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        stream = Stream(it.plane, shop, "channels=news,private-a")
        assert await stream.started() == 200
        acks = [await stream.event(), await stream.event()]
        assert [ack["channel"] for ack in acks] == ["news", "private-a"]
        await publish(it, shop, "news", 1)
        assert (await stream.event())["data"] == "1"
        await stream.gone()
        await publish(it, shop, "news", 2)
        await publish(it, shop, "private-a", 3)
        again = Stream(it.node(), shop, "channels=news,private-a", stream.id)
        await again.started()
        seen = [await again.event() for _ in range(4)]
        assert [event.get("recovered", event["data"]) for event in seen] == [True, "2", True, "3"]
        await again.gone()


async def test_a_lost_place_is_said(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        stream = Stream(it.plane, shop, "channels=news")
        await stream.started()
        await stream.event()
        await stream.gone()
        valkey.connect(region).flushall()
        again = Stream(it.plane, shop, "channels=news", stream.id)
        await again.started()
        assert (await again.event())["recovered"] is False
        await again.gone()


@pytest.mark.parametrize(
    ("query", "last_event_id", "code"),
    [
        ("channels=", "", "bad_request"),
        ("channels=" + ",".join(map(str, range(21))), "", "bad_request"),
        ("channels=a%20b", "", "bad_channel"),
        ("channels=%23server-to-user-ada", "", "bad_channel"),
        ("channels=presence-a", "", "bad_request"),
        ("channels=news&rewind=101", "", "bad_request"),
        ("channels=news", "news/e", "bad_request"),
        ("channels=news", "news/e/-1/x", "bad_request"),
        ("channels=news", "x" * 9_000, "bad_request"),
    ],
)
async def test_a_stream_that_cannot_be_is_refused(region: str, query: str, last_event_id: str, code: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        stream = Stream(it.plane, shop, query, last_event_id)
        assert await stream.started() == 400
        assert json.loads((await stream._outbox.get())["body"])["code"] == code
        await stream.task


async def test_a_stream_needs_a_signature_for_its_own_channels(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        path, query = signed_target(shop, "channels=news")
        for changed in (query.replace("channels=news", "channels=private-a"), "channels=news"):
            answer = await it.call("GET", f"{path}?{changed}")
            assert answer.status == 401


async def test_a_stream_counts_as_a_connection_and_ends_with_it(region: str) -> None:
    shop = record(region, max_connections=1)
    async with world(shop) as it:
        stream = Stream(it.plane, shop, "channels=news")
        await stream.started()
        await stream.event()
        refused = Stream(it.plane, shop, "channels=news")
        assert await refused.started() == 429
        await refused.task
        await it.plane.plane().drain(0)
        assert (await stream.block()).startswith("retry: ")
        assert await stream.block() == ""
        await stream.task
        assert queries.connection_count(region=region, tenant_id=1) == 0


async def test_a_slow_reader_is_sent_away_before_it_costs_memory(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        stream = Stream(it.plane, shop, "channels=news", **{BACKLOG: lambda: 2**20})
        await stream.started()
        assert (await stream.block()).startswith("retry: ")
        assert await stream.block() == ""
        await stream.task
