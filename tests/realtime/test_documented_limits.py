"""Limits, cadences and ways to ask that Pusher documents and no other test meets."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from apps.core import valkey
from apps.realtime import keys
from apps.realtime.counts import CountBoard
from apps.realtime.engine import Engine
from tests.realtime.wire import Client, record, world

pytestmark = pytest.mark.usefixtures("clean_valkey")


class Announced:
    """An engine as a `CountBoard` needs it, and a clock. totals: what was announced."""

    def __init__(self, **settings: Any) -> None:
        self.shop = record("r", **settings)
        self.applications = {self.shop.application_id: SimpleNamespace(record=self.shop)}
        self.totals: list[int] = []
        self.now = 1_000.0
        self.board = CountBoard(cast("Engine", self))

    def announce_later(self, _application_id: str, _channel: str, json_: bytes, *_: Any) -> None:
        self.totals.append(json.loads(json.loads(json_)["data"])["subscription_count"])

    def changed(self, *totals: int, channel: str = "news") -> None:
        for total in totals:
            self.board.changed(self.shop.application_id, channel, total)


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> Announced:
    engine = Announced(subscription_count=True)
    monkeypatch.setattr(time, "monotonic", lambda: engine.now)
    return engine


def test_counts_are_told_at_every_change_up_to_a_hundred_and_every_five_seconds_above(announced: Announced) -> None:
    announced.changed(1, 99, 100, 99)
    assert announced.totals == [1, 99, 100, 99]
    announced.changed(101, 102, 103)
    announced.now += 4.9
    announced.board.tick()
    assert announced.totals[4:] == [101]
    announced.now += 0.1
    announced.board.tick()
    announced.board.tick()
    assert announced.totals[4:] == [101, 103]
    announced.changed(104)
    announced.changed(100)  # below, it is told at once, and what waited is out of date
    announced.now += 5.0
    announced.board.tick()
    assert announced.totals[6:] == [100]


def test_counts_of_presence_channels_and_of_nobody_are_not_told(announced: Announced) -> None:
    announced.changed(3, channel="presence-room")
    announced.changed(0)
    assert announced.totals == []
    silent = Announced()
    silent.changed(3)
    assert silent.totals == []


async def test_a_client_is_told_its_applications_activity_timeout(region: str) -> None:
    shop = record(region, activity_timeout=33)
    async with world(shop) as it:
        client = Client(it.plane, shop)
        await client.received()
        assert json.loads((await client.event())["data"])["activity_timeout"] == 33
        await client.gone()


async def test_an_event_may_be_asked_for_in_the_query_alone(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        for channel in ("a", "b"):
            await client.subscribed(channel)
        answer = await it.signed(shop, "POST", "/events", query="channels[]=a&channels[]=b&data=1&name=e")
        assert (answer.status, answer.body) == (200, {})
        assert sorted([(await client.event())["channel"] for _ in range(2)]) == ["a", "b"]
        await client.gone()


async def test_a_presence_channel_holds_ten_thousand_members_and_not_one_more(region: str) -> None:
    shop = record(region, max_presence_members=10_000)
    _own, count, info, _sequence = keys.members(shop.application_id, "presence-all")
    others = {f"user-{number}": 1 for number in range(9_999)}
    valkey.connect(region).hset(count, mapping=others)
    valkey.connect(region).hset(info, mapping=dict.fromkeys(others, '{"n":1}'))
    async with world(shop) as it:
        last, late = await it.client(shop), await it.client(shop)
        presence = json.loads((await last.subscribed("presence-all", user="ada"))["data"])["presence"]
        assert (presence["count"], len(presence["hash"]), presence["hash"]["user-7"]) == (10_000, 10_000, {"n": 1})
        data = {"channel": "presence-all", "channel_data": '{"user_id":"bo"}'}
        late.send("pusher:subscribe", {**data, "auth": late.auth("presence-all", data["channel_data"])})
        assert (await late.event())["data"]["type"] == "LimitReached"
        await late.subscribed("presence-all", user="user-7")  # who is there already is no member more
        await last.nothing_more()
        for client in (last, late):
            await client.gone()
