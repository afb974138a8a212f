"""What a journey says, as values. Pure. `reading.py` makes them of JSON, `graph.py` checks how they hang together.

A step names the step that follows it, or None: then the journey is over for the person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from typing import Any

from apps.audience.segments import Leaf

MAX_STEPS = 50
MAX_EXITS = 10
#: Steps that one person may take in one go through a journey with a loop. Then the entry fails.
MAX_VISITS = 1_000


class Kind(StrEnum):
    WAIT = "wait"
    WAIT_UNTIL = "wait_until"
    BRANCH = "branch"
    SPLIT = "split"
    SEND = "send"
    UPDATE = "update"
    END = "end"


class ReentryRule(StrEnum):
    """How often somebody may come in: once ever, again so many days after the last time, each time."""

    ONCE = "once"
    AFTER = "after"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Reentry:
    """days: of AFTER. one_at_a_time: who is still under way does not come in again; always so but with ALWAYS."""

    rule: ReentryRule = ReentryRule.ONCE
    days: int = 0
    one_at_a_time: bool = True


@dataclass(frozen=True, slots=True)
class Did:
    """The person did this: in a branch or an exit, since they came into the journey. event: a segment's leaf."""

    event: Leaf


@dataclass(frozen=True, slots=True)
class Belongs:
    """The person is, or with inside=False is not, one of whom the segment's rules hold. segment_id: of a draft, whose
    rules are looked up when it is published."""

    rules: Mapping[str, Any] | None
    segment_id: str
    inside: bool


Condition = Did | Belongs


@dataclass(frozen=True, slots=True)
class Step:
    """id: unique in the journey. name: for people."""

    id: str
    name: str

    @property
    def follows(self) -> tuple[str | None, ...]:
        """Every step to which this one may lead."""
        return (None,)


@dataclass(frozen=True, slots=True)
class _Onward(Step):
    next: str | None

    @property
    def follows(self) -> tuple[str | None, ...]:
        return (self.next,)


@dataclass(frozen=True, slots=True)
class Wait(_Onward):
    seconds: int


@dataclass(frozen=True, slots=True)
class WaitUntil(_Onward):
    """The next time this shows on the person's own clock. weekdays: 1 is Monday; all when empty."""

    time: time
    weekdays: frozenset[int]


@dataclass(frozen=True, slots=True)
class Branch(Step):
    condition: Condition
    then: str | None
    otherwise: str | None

    @property
    def follows(self) -> tuple[str | None, ...]:
        return (self.then, self.otherwise)


@dataclass(frozen=True, slots=True)
class Way:
    percent: int
    next: str | None


@dataclass(frozen=True, slots=True)
class Split(Step):
    """The percentages add up to 100."""

    ways: tuple[Way, ...]

    @property
    def follows(self) -> tuple[str | None, ...]:
        return tuple(way.next for way in self.ways)


@dataclass(frozen=True, slots=True)
class Send(_Onward):
    """content: None in a draft that names a template. The rest: as a campaign has it."""

    content: Mapping[str, Any] | None
    template_id: str
    routes: tuple[str, ...]
    category: str
    ttl: int | None
    quiet_hours: Mapping[str, Any] | None
    frequency_cap: Mapping[str, Any] | None
    follow_up: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Update(_Onward):
    """attributes: None removes one."""

    attributes: Mapping[str, Any]
    add_tags: tuple[str, ...]
    remove_tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class End(Step):
    """goal: what was reached; empty for a plain end."""

    goal: str


@dataclass(frozen=True, slots=True)
class Definition:
    """trigger: the event that brings people in; None when only the API does. The first step is where they begin.

    exits: who meets one of them leaves before the next step. entries_per_minute: who comes beyond begins later.
    sends_per_minute: over all sends of the journey; who comes beyond waits in the step for a minute with room.
    """

    trigger: Leaf | None
    reentry: Reentry
    entries_per_minute: int | None
    exits: tuple[Condition, ...]
    steps: tuple[Step, ...]
    sends_per_minute: int | None = None

    @property
    def first(self) -> str:
        return self.steps[0].id

    def step(self, step_id: str) -> Step:
        return next(step for step in self.steps if step.id == step_id)


def kind_of(step: Step) -> Kind:
    return _KINDS[type(step)]


_KINDS: Mapping[type[Step], Kind] = {
    Wait: Kind.WAIT,
    WaitUntil: Kind.WAIT_UNTIL,
    Branch: Kind.BRANCH,
    Split: Kind.SPLIT,
    Send: Kind.SEND,
    Update: Kind.UPDATE,
    End: Kind.END,
}
