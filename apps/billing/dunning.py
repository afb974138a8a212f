"""The schedule of what is done about an unpaid invoice. Pure.

As text: `collect:0 remind:1 restrict:21`, an action and the days after the invoice was due, in any order.
"""

from __future__ import annotations

from dataclasses import dataclass

ACTIONS = ("collect", "remind", "restrict", "suspend", "uncollectible")
_LONGEST = 366
_MOST = 24


class BadSchedule(ValueError):
    """The text is no schedule; the message says why."""


@dataclass(frozen=True, slots=True)
class Step:
    """days: after the invoice was due."""

    days: int
    action: str


def parse(text: str) -> tuple[Step, ...]:
    """The steps in the order they are taken; of one day, in that of `ACTIONS`. Raises BadSchedule."""
    steps = {_step(word) for word in text.split()}
    if len(steps) > _MOST:
        raise BadSchedule(f"a dunning schedule has at most {_MOST} steps")
    return tuple(sorted(steps, key=lambda step: (step.days, ACTIONS.index(step.action))))


def _step(word: str) -> Step:
    action, _colon, days = word.partition(":")
    if action not in ACTIONS:
        raise BadSchedule(f"{action!r} is no dunning step; there are {', '.join(ACTIONS)}")
    if not (days.isascii() and days.isdigit() and len(days) <= 3 and int(days) <= _LONGEST):
        raise BadSchedule(f"{word!r} needs a number of days up to {_LONGEST} after the colon")
    return Step(int(days), action)
