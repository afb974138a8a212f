"""Filters by tags: what passes, what cannot be, and that whoever filters misses nothing that passes."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.realtime.counters import Counters
from apps.realtime.hub import TOLD_EVERY, Hub
from apps.realtime.protocol.frames import payloads_of
from apps.realtime.protocol.publications import Mark, Position, Publication, Topic, packed, unpacked
from apps.realtime.protocol.tags import BadTags, Filter, packed_tags
from tests.realtime.wire import record, world


@pytest.mark.parametrize(
    ("wanted", "tags", "passes"),
    [
        ({"sku": "a"}, {"sku": "a", "more": 1}, True),
        ({"sku": "a"}, {"sku": "b"}, False),
        ({"sku": "a"}, {}, False),
        ({"sku": ["a", "b"]}, {"sku": "b"}, True),
        ({"sku": "a", "n": 1}, {"sku": "a"}, False),
        ({"n": {"gte": 1, "lt": 2}}, {"n": 1}, True),
        ({"n": {"gte": 1, "lt": 2}}, {"n": 2}, False),
        ({"n": {"gt": 1}}, {"n": "2"}, False),
        ({"n": 1}, {"n": True}, False),
        ({"n": "two words"}, {"n": "two words"}, True),
    ],
)
def test_a_filter_says_what_passes(wanted: Any, tags: Any, passes: bool) -> None:
    sent = unpacked(b"e:1 " + packed("id", "", Topic.EVENT, b"{}", packed_tags(tags)))
    assert Filter(wanted).passes(sent.tags) is passes


@pytest.mark.parametrize(
    "wanted",
    [[], {}, "a", {"a b": 1}, {"a": []}, {"a": ["x"] * 21}, {"a": {"like": 1}}, {"a": {"gt": "1"}}, {"a": None},
     {"a": "x" * 65}, {"a": {"gt": True}}, {str(number): 1 for number in range(9)}, {"a": [[1]]}, {"a": 2**60}],
)  # fmt: skip
def test_a_filter_that_cannot_be_is_refused(wanted: Any) -> None:
    with pytest.raises(BadTags):
        Filter(wanted)


@pytest.mark.parametrize(
    "tags", [[], "a", {"a": None}, {"a": []}, {"a": "\ud800"}, {"a" * 33: 1}, {"a": float("inf")}, {"a": "x" * 65}]
)
def test_tags_that_cannot_be_are_refused(tags: Any) -> None:
    if tags == []:
        tags = ["a"]
    with pytest.raises(BadTags):
        packed_tags(tags)


@given(skus=st.lists(st.sampled_from("ab"), max_size=120), runs=st.integers(1, 7))
@settings(deadline=None, max_examples=100)
def test_who_filters_gets_all_that_passes_and_knows_where_the_log_stands(skus: list[str], runs: int) -> None:
    live = Hub().open("1", "news", b"t", Counters())
    live.stands_at(Mark(Position("e", 0)))
    heard: dict[str, list[bytes]] = {"plain": [], "positioned": [], "all": []}
    for name in heard:
        live.wait(name)
        live.choose(name, None if name == "all" else Filter({"sku": "a"}))
        if name == "positioned":
            live.go_live_from(name, heard[name].append, Mark(Position("e", 0)))
        else:
            assert live.go_live(name, heard[name].append)
    sent = [
        Publication(
            Position("e", number), f"id{number}", "", Topic.EVENT, b'{"event":"n","data":"%d"}' % number,
            tags=packed_tags({"sku": sku}),
        )
        for number, sku in enumerate(skus, 1)
    ]  # fmt: skip
    for start in range(0, len(sent), runs):
        live.deliver(sent[start : start + runs])
    events = {name: [json.loads(each) for wire in wires for each in payloads_of(wire)] for name, wires in heard.items()}
    passed = [str(number) for number, sku in enumerate(skus, 1) if sku == "a"]
    for name, wanted in (("plain", passed), ("positioned", passed), ("all", [str(n) for n in range(1, len(skus) + 1)])):
        assert [each["data"] for each in events[name] if each["event"] == "n"] == wanted
    stands = events["positioned"][-1]["offset"] if events["positioned"] else 0
    assert len(skus) - stands < TOLD_EVERY
    assert live.counters.delivered == 2 * len(passed) + len(skus)


@pytest.mark.usefixtures("clean_valkey")
async def test_a_filter_holds_live_and_when_somebody_comes_back(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        wish = {"channel": "news", "filter": {"sku": "a"}, "position": True}
        client.send("pusher:subscribe", wish)
        start = await client.event()
        for number, sku in enumerate("abab"):
            event = {"name": "n", "channel": "news", "data": str(number), "tags": {"sku": sku}}
            assert (await it.signed(shop, "POST", "/events", event)).status == 200
        assert [(await client.event())["data"] for _ in range(2)] == ["0", "2"]
        await client.nothing_more()
        late = await it.client(shop, it.node())
        place = {name: start[name] for name in ("epoch", "offset", "message_id")}
        late.send("pusher:subscribe", {**wish, "position": place})
        assert (await late.event())["recovered"] is True
        assert [(await late.event())["data"] for _ in range(2)] == ["0", "2"]
        told = await late.event()
        assert (told["event"], told["offset"]) == ("pusher_internal:position", start["offset"] + 4)
        await late.nothing_more()
        for each in (client, late):
            await each.gone()


@pytest.mark.usefixtures("clean_valkey")
async def test_who_listens_by_http_filters_too(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        wanted = "channels=news&timeout=0&filter=" + quote('{"sku":"a"}')
        assert (await it.signed(shop, "GET", "/poll", query="channels=news&filter=x")).status == 400
        assert (await it.signed(shop, "GET", "/poll", query=wanted.replace("news", "cache-a"))).status == 400
        place = (await it.signed(shop, "GET", "/poll", query=wanted)).body["last_event_id"]
        for number, sku in enumerate("abb"):
            event = {"name": "n", "channel": "news", "data": str(number), "tags": {"sku": sku}}
            assert (await it.signed(shop, "POST", "/events", event)).status == 200
        answer = await it.signed(shop, "GET", "/poll", query=wanted, headers={b"last-event-id": place.encode()})
        assert [event["data"] for event in answer.body["events"]] == ["0"]
        assert answer.body["last_event_id"].split("/")[2] == "3"


@pytest.mark.usefixtures("clean_valkey")
async def test_what_cannot_be_is_refused_at_both_doors(region: str) -> None:
    shop = record(region)
    async with world(shop) as it:
        client = await it.client(shop)
        for wish in ({"channel": "news", "filter": {"a": {"like": 1}}}, {"channel": "cache-a", "filter": {"a": 1}}):
            client.send("pusher:subscribe", wish)
            assert (await client.event())["event"] == "pusher:error"
        event = {"name": "n", "channel": "news", "data": "1", "tags": {"a": [1]}}
        assert (await it.signed(shop, "POST", "/events", event)).status == 400
        await client.gone()
