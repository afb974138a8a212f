"""Applications take turns when there is more to deliver than one turn of the loop can take."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.realtime import fairness
from apps.realtime.counters import Counters
from apps.realtime.fairness import Message, Turns
from apps.realtime.hub import Hub
from tests.realtime.wire import record, world


class Desk:
    """What was delivered in which order, and whether the broker is read."""

    def __init__(self, *topics: tuple[str, str]) -> None:
        self.hub = Hub()
        for application_id, name in topics:
            self.hub.open(application_id, name, f"{application_id}:{name}".encode(), Counters())
        self.delivered: list[tuple[bytes, bytes]] = []
        self.is_read = True
        self.turns = Turns(self.hub, self._deliver, self._read)

    def _deliver(self, topic: bytes, bodies: list[bytes]) -> None:
        self.delivered += [(topic, body) for body in bodies]

    def _read(self, wanted: bool) -> None:
        self.is_read = wanted

    async def come_to_rest(self) -> None:
        while not self.turns.is_idle:  # noqa: ASYNC110  # each turn is one round of the loop
            await asyncio.sleep(0)


def messages(topic: bytes, numbers: range) -> list[Message]:
    return [(topic, b"%d" % number) for number in numbers]


@pytest.fixture
def no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn is over after one delivery."""
    monkeypatch.setattr(fairness, "TURN", -1.0)
    monkeypatch.setattr(fairness, "TOGETHER", 4)


async def test_what_a_turn_can_take_is_delivered_at_once_and_in_its_order() -> None:
    desk = Desk(("a", "x"), ("b", "y"))
    given_ = [*messages(b"a:x", range(3)), *messages(b"b:y", range(1)), *messages(b"a:x", range(3, 5))]
    desk.turns.take(given_)
    assert (desk.delivered, desk.turns.is_idle) == (given_, True)


@pytest.mark.usefixtures("no_time")
async def test_a_burst_costs_another_application_one_turn() -> None:
    desk = Desk(("a", "x"), ("b", "y"))
    desk.turns.take([*messages(b"a:x", range(1_000)), *messages(b"b:y", range(1))])
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    before = desk.delivered.index((b"b:y", b"0"))
    assert before <= 8
    desk.turns.take(messages(b"b:y", range(1, 2)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert desk.delivered.index((b"b:y", b"1")) <= 20
    await desk.come_to_rest()
    assert [each for each in desk.delivered if each[0] == b"a:x"] == messages(b"a:x", range(1_000))


@pytest.mark.usefixtures("no_time")
async def test_what_is_no_channel_does_not_wait() -> None:
    desk = Desk(("a", "x"))
    desk.turns.take([*messages(b"a:x", range(10)), (b"probe", b"1")])
    assert desk.delivered == [(b"probe", b"1")]
    await desk.come_to_rest()


@pytest.mark.usefixtures("no_time")
async def test_a_flush_delivers_one_channel_and_leaves_the_others_their_order() -> None:
    desk = Desk(("a", "x"), ("a", "z"))
    desk.turns.take([(b"a:x", b"1"), (b"a:z", b"1"), (b"a:x", b"2"), (b"a:z", b"2")])
    desk.turns.flush(b"a:z")
    assert desk.delivered == [(b"a:z", b"1"), (b"a:z", b"2")]
    await desk.come_to_rest()
    assert desk.delivered[2:] == [(b"a:x", b"1"), (b"a:x", b"2")]


@pytest.mark.usefixtures("no_time")
async def test_the_broker_is_not_read_while_too_much_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fairness, "PAUSE_AT", 50)
    monkeypatch.setattr(fairness, "RESUME_AT", 10)
    desk = Desk(("a", "x"))
    desk.turns.take(messages(b"a:x", range(100, 120)))
    assert not desk.is_read
    await desk.come_to_rest()
    assert desk.is_read


READS = st.lists(st.lists(st.sampled_from([b"a:x", b"a:z", b"b:y", b"other"]), max_size=12), max_size=12)


@given(reads=READS, flushed=st.lists(st.sampled_from([b"a:x", b"b:y", b"all", b""]), min_size=12, max_size=12))
@settings(deadline=None, max_examples=150)
def test_nothing_is_lost_or_repeated_and_each_channel_keeps_its_order(
    reads: list[list[bytes]], flushed: list[bytes]
) -> None:
    asyncio.run(_play(reads, flushed))


async def _play(reads: list[list[bytes]], flushed: list[bytes]) -> None:
    desk, sent = Desk(("a", "x"), ("a", "z"), ("b", "y")), defaultdict[bytes, list[bytes]](list)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fairness, "TURN", -1.0)
        patch.setattr(fairness, "TOGETHER", 2)
        for number, (read, flush) in enumerate(zip(reads, flushed, strict=False)):
            given_ = [(topic, b"%d.%d" % (number, at)) for at, topic in enumerate(read)]
            for topic, body in given_:
                sent[topic].append(body)
            desk.turns.take(given_)
            if flush == b"all":
                desk.turns.flush_all()
            else:
                desk.turns.flush(flush)
            await asyncio.sleep(0)
        await desk.come_to_rest()
    heard = defaultdict[bytes, list[bytes]](list)
    for topic, body in desk.delivered:
        heard[topic].append(body)
    assert heard == sent


@pytest.mark.usefixtures("clean_valkey")
async def test_a_newcomer_of_a_cache_channel_hears_nothing_that_waits_twice(
    region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = record(region)
    async with world(shop) as it:
        first = await it.client(shop)
        await first.subscribed("cache-a")
        assert (await first.event())["event"] == "pusher:cache_miss"
        turns = (await it.plane.plane().engine(region)).turns
        with monkeypatch.context() as patch:
            patch.setattr(fairness, "TURN", -1.0)
            patch.setattr(Turns, "_go_on_soon", lambda self: None)
            for data in "123":
                await it.published(shop, "cache-a", data=data)
            while sum(len(queue.messages) for queue in turns._queues.values()) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            late = await it.client(shop)
            await late.subscribed("cache-a")
            assert (await late.event())["data"] == "3"
        turns._go_on_soon()
        assert [(await first.event())["data"] for _ in range(3)] == ["1", "2", "3"]
        for client in (first, late):
            await client.nothing_more()
            await client.gone()
