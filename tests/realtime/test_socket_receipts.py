"""Receipts on a socket are left for whoever keeps them, answered once they are there, and bounded."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from apps.core import valkey
from apps.realtime import keys
from tests.realtime.wire import record, world

pytestmark = pytest.mark.usefixtures("clean_valkey")

RECEIPT = {"token": "t" * 40, "kind": "opened", "at": 1_700_000_000_000}


def _left(region: str) -> list[Any]:
    lines: Any = valkey.connect(region).xrange(keys.RECEIPTS)
    return [orjson.loads(fields[b"r"]) for _number, fields in lines]


async def test_what_is_answered_is_in_the_stream(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        client.send("pusher:receipts", {"receipts": [RECEIPT, {**RECEIPT, "more": 1}]})
        told = await client.event()
    assert (told["event"], orjson.loads(told["data"])) == ("pusher:receipts_noted", {"count": 2})
    assert _left(region) == [[RECEIPT, RECEIPT]]


@pytest.mark.parametrize(
    "given",
    [None, {}, {"receipts": []}, {"receipts": [RECEIPT] * 51}, {"receipts": [{"token": "t" * 65, "kind": "opened"}]},
     {"receipts": [7]}, {"receipts": [{"token": "t"}]}],
)  # fmt: skip
async def test_what_cannot_be_a_receipt_is_refused_and_the_connection_stays(region: str, given: object) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        client.send("pusher:receipts", given)
        assert (await client.event())["event"] == "pusher:error"
        client.send("pusher:receipts", {"receipts": [{"token": "t", "kind": "opened", "at": "soon"}]})
        assert (await client.event())["event"] == "pusher:receipts_noted"
    [[kept]] = _left(region)
    assert kept["at"] > RECEIPT["at"]


async def test_a_flood_is_cut(region: str) -> None:
    shop = record(region, max_client_events_per_second=2)
    async with world(shop) as it:
        client = await it.client(shop)
        for _number in range(8):
            client.send("pusher:receipts", {"receipts": [RECEIPT]})
        events = [(await client.event())["event"] for _number in range(8)]
    assert "pusher:error" in events
    assert len(_left(region)) == events.count("pusher:receipts_noted")
