"""A live channel against its log, for any order of losses, repeats, joins and a log that is lost."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from apps.realtime.counters import Counters
from apps.realtime.history import LogState, missed_since
from apps.realtime.hub import Hub, LiveChannel
from apps.realtime.protocol.frames import payloads_of
from apps.realtime.protocol.publications import Mark, Position, Publication, Topic

STEPS = st.lists(st.sampled_from(["deliver", "lose", "repeat", "join", "trim", "wipe"]), min_size=1, max_size=60)
_KEPT = 4


class Model:
    """The log, what the broker still delivers of it, and positioned subscribers with what they have been sent."""

    def __init__(self) -> None:
        self.epoch, self.entries, self.kept = 0, list[Publication](), _KEPT
        self.live: LiveChannel = Hub(self.repair).open("1", "news", b"t", Counters())
        self.live.stands_at(self.state.mark)
        self.heard: dict[int, list[bytes]] = {}
        self.begun: dict[int, tuple[str, int]] = {}

    @property
    def state(self) -> LogState:
        top = self.entries[-1].mark if self.entries else Mark(Position(f"e{self.epoch}", 0))
        return LogState(top, self.entries[-self.kept :])

    def publish(self) -> Publication:
        offset = len(self.entries) + 1
        name = f"{self.epoch}.{offset}"
        made = Publication(Position(f"e{self.epoch}", offset), name, "", Topic.EVENT, b'{"event":"e"}')
        self.entries.append(made)
        return made

    def repair(self, channel: LiveChannel) -> None:
        assert channel.mark is not None
        missing = missed_since(channel.mark, self.state)
        if missing is None:
            channel.start_over(self.state.mark)
        else:
            channel.catch_up(missing)

    def join(self) -> None:
        name, mark = len(self.heard), self.state.mark
        self.live.wait(name)
        if not self.live.follows(name, mark):
            self.repair(self.live)
        assert self.live.follows(name, mark)
        self.heard[name] = []
        self.begun[name] = (mark.position.epoch, mark.position.offset)
        self.live.go_live_from(name, self.heard[name].append, mark)

    def step(self, step: str) -> None:
        if step == "deliver":
            self.live.deliver([self.publish()])
        elif step == "lose":
            self.publish()
        elif step == "repeat" and self.entries:
            self.live.deliver(self.entries[-2:])
        elif step == "join":
            self.join()
        elif step == "trim":
            self.kept = 1
        elif step == "wipe":
            self.epoch, self.entries, self.kept = self.epoch + 1, [], _KEPT


@given(steps=STEPS)
@settings(deadline=None, max_examples=300)
def test_every_subscriber_hears_everything_in_order_or_is_told(steps: list[str]) -> None:
    model = Model()
    for step in steps:
        model.step(step)
    model.repair(model.live)
    for name, writes in model.heard.items():
        epoch, offset = model.begun[name]
        for message in (json.loads(payload) for wire in writes for payload in payloads_of(wire)):
            if message["event"] != "pusher:messages_lost":
                assert (message["epoch"], message["offset"]) == (epoch, offset + 1)
            epoch, offset = message["epoch"], message["offset"]
        assert (epoch, offset) == (model.state.mark.position.epoch, model.state.mark.position.offset)
