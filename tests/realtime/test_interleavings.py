"""No order of events around a gateway loses a publication untold. The orders are told step by step, and found."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from apps.realtime import closings, continuity, fairness
from tests.chaos.witnesses import faults_in
from tests.realtime.simulated import CHANNEL, Gateway, turns

#: Who it happens to is the number behind the name.
_CLIENTS = [f"{what} {number}" for what in ("connect", "cut") for number in range(4)]
_VALKEY = ["publish", "serve", "reply", "push 1", "push 3", "cut_link", "reconnect", "wipe", "turn", "settle"]
STEPS = st.lists(st.sampled_from([*_CLIENTS, *_VALKEY, *_VALKEY]), max_size=60)
_EVERYBODY = [f"connect {number}" for number in range(4)]
#: Orders that once lost a publication, or stopped a channel for good.
PEER_IS_CUT = [*_EVERYBODY, "settle", "publish", "cut 1", "push 1"]
WIPED_DURING_A_REPAIR = [*_EVERYBODY, "settle", "publish", "cut_link", "reconnect", "publish", "push 3", "turn", "wipe"]
WIPED_BEFORE_THE_FIRST = ["connect 1", "settle", "publish", "wipe", "publish", "reconnect", "publish", "push 3"]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((continuity, "_LANDING"), (continuity, "_RETRY"), (closings, "_STEP")):
        monkeypatch.setattr(module, name, 1e-9)


async def take(gateway: Gateway, step: str) -> None:
    verb, _, number = step.partition(" ")
    valkey = gateway.valkey
    match verb:
        case "connect":
            gateway.clients[int(number)].connect()
        case "cut":
            gateway.clients[int(number)].cut()
        case "push":
            gateway.push(int(number))
        case "turn":
            await turns(1)
        case "settle":
            await gateway.settle()
        case _:
            getattr(valkey, verb)()


async def play(region: str, steps: Sequence[str]) -> None:
    gateway = Gateway(region)
    try:
        for step in steps:
            await take(gateway, step)
        await gateway.come_to_rest()
        for number, client in enumerate(gateway.clients):
            notes = client.notes[CHANNEL]
            assert [*faults_in(notes), *client.late] == [], (steps, number, notes)
            assert client.last(CHANNEL) == gateway.valkey.published, (steps, number, notes)
    finally:
        await gateway.stop()


@given(steps=STEPS)
@example(steps=PEER_IS_CUT)
@example(steps=WIPED_DURING_A_REPAIR)
@example(steps=WIPED_BEFORE_THE_FIRST)
@settings(deadline=None, max_examples=200)
def test_every_gap_is_said_in_any_order_of_events(steps: list[str]) -> None:
    asyncio.run(play("local", steps))


@given(steps=STEPS)
@example(steps=PEER_IS_CUT)
@example(steps=WIPED_DURING_A_REPAIR)
@example(steps=WIPED_BEFORE_THE_FIRST)
@settings(deadline=None, max_examples=200)
def test_the_same_holds_when_every_publication_waits_for_its_turn(steps: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fairness, "TURN", -1.0)
        patch.setattr(fairness, "TOGETHER", 1)
        asyncio.run(play("local", steps))
