"""Slow readers of channels where the newest counts: bounded memory, order, and the newest always arrives."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.realtime import latest
from apps.realtime.counters import Counters
from apps.realtime.hub import Hub
from apps.realtime.latest import LAGS_AT
from apps.realtime.peers import MAX_QUEUED_BYTES
from apps.realtime.protocol.frames import payloads_of
from apps.realtime.protocol.publications import Mark, Position, Publication, Topic
from tests.chaos.witnesses import GAP, Notes, faults_in

SIZE = 9_000
STEPS = st.lists(
    st.sampled_from(["publish", "publish", "burst", "own", "client event", "read a little", "read", "wait", "wipe"]),
    max_size=60,
)


class Reader(Notes):
    """`peers.Frames` of somebody who reads when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: list[bytes] = []
        self.most = 0

    @property
    def buffered(self) -> int:
        return sum(map(len, self.queue))

    def write(self, wire: bytes) -> None:
        self.queue += [bytes(payload) for payload in payloads_of(wire)]
        self.most = max(self.most, self.buffered)

    def read(self, most: int) -> None:
        taken, self.queue = self.queue[:most], self.queue[most:]
        for payload in taken:
            self.hear(json.loads(payload))


class Model:
    """One channel and two readers, one of them with positions."""

    def __init__(self) -> None:
        self.live = Hub().open("1", "ticker", b"t", Counters())
        self.live.stands_at(Mark(Position("e0", 0)))
        self.epoch = self.offset = self.number = 0
        self.plain, self.positioned = Reader(), Reader()
        self.live.wait("plain")
        assert self.live.go_live("plain", self.plain.write)
        self.live.wait("positioned")
        self.live.go_live_from("positioned", self.positioned.write, Mark(Position("e0", 0)))
        self.readers = {"plain": self.plain, "positioned": self.positioned}
        for name, reader in self.readers.items():
            self.live.may_lag(name, reader)  # type: ignore[arg-type]  # nothing else of it is asked

    def publication(self, excluded: str = "", *, is_logged: bool = True) -> Publication:
        self.offset += is_logged
        event = "n" if is_logged else "client-x"
        self.number += is_logged
        fields = {"event": event, "channel": "ticker", "data": str(self.number), "fill": "x" * SIZE}
        return Publication(
            Position(f"e{self.epoch}", self.offset) if is_logged else None, f"id{self.number}", excluded,
            Topic.EVENT if is_logged else Topic.CLIENT_EVENT, json.dumps(fields).encode(),
        )  # fmt: skip

    async def take(self, step: str) -> None:
        if step == "publish":
            self.live.deliver([self.publication()])
        elif step == "burst":
            self.live.deliver([self.publication() for _ in range(20)])
        elif step == "own":
            self.live.deliver([self.publication(excluded="positioned")])
        elif step == "client event":
            self.live.deliver([self.publication(is_logged=False)])
        elif step == "wipe":
            self.epoch, self.offset = self.epoch + 1, 0
            self.live.start_over(Mark(Position(f"e{self.epoch}", 0)))
        elif step == "wait":
            await asyncio.sleep(0.001)
        else:
            for reader in self.readers.values():
                reader.read(3 if step == "read a little" else 1_000)

    async def come_to_rest(self) -> None:
        self.live.deliver([self.publication()])
        for _ in range(3):
            for reader in self.readers.values():
                reader.read(1_000)
            await asyncio.sleep(0.002)


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latest, "_LOOK", 1e-6)


async def play(steps: list[str]) -> Model:
    model = Model()
    for step in steps:
        await model.take(step)
    await model.come_to_rest()
    return model


@given(steps=STEPS)
@settings(deadline=None, max_examples=150)
def test_a_slow_reader_is_bounded_and_always_hears_the_newest(steps: list[str]) -> None:
    model = asyncio.run(play(steps))
    for reader in model.readers.values():
        notes = reader.notes["ticker"]
        numbers = [note for note in notes if isinstance(note, int)]
        assert numbers == sorted(set(numbers)), notes
        assert numbers[-1] == model.number
        assert reader.most < MAX_QUEUED_BYTES
    assert model.positioned.positions["ticker"]["offset"] == model.offset
    without_own = [step for step in steps if step != "own"]
    if without_own == steps:
        assert faults_in(model.positioned.notes["ticker"]) == []


async def test_what_was_left_out_is_said_and_not_counted_as_delivered() -> None:
    model = Model()
    for _ in range(100):
        model.live.deliver([model.publication()])
    counters = model.live.counters
    sent = sum(len(reader.queue) for reader in model.readers.values())
    assert (counters.delivered, counters.skipped) == (sent, 2 * 99 - sent)
    assert model.plain.most < LAGS_AT + 2 * SIZE
    await model.come_to_rest()
    assert (counters.delivered + counters.skipped) == 2 * 101
    notes = model.positioned.notes["ticker"]
    assert (notes[-2:], notes.count(GAP)) == ([GAP, 101], 1)
    assert GAP not in model.plain.notes["ticker"]


async def test_other_channels_of_the_hub_keep_everything() -> None:
    live, reader = Hub().open("1", "news", b"t", Counters()), Reader()
    live.wait("a")
    live.go_live("a", reader.write)
    for number in range(1, 101):
        text: dict[str, Any] = {"event": "n", "channel": "news", "data": str(number), "fill": "x" * SIZE}
        live.deliver([Publication(Position("e", number), "", "", Topic.EVENT, json.dumps(text).encode())])
    assert (len(reader.queue), live.counters.skipped) == (100, 0)


async def test_who_leaves_is_forgotten() -> None:
    model = Model()
    for _ in range(20):
        model.live.deliver([model.publication()])
    for name in model.readers:
        assert model.live.remove(name)
    queued = model.plain.buffered
    await asyncio.sleep(0.002)
    assert model.plain.buffered == queued
