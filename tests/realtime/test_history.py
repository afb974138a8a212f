"""Which gaps a log can close, without Valkey."""

from __future__ import annotations

import pytest

from apps.realtime.history import LogState, missed_since
from apps.realtime.protocol.publications import NOWHERE, Mark, Position, Publication, Topic


def at(offset: int, epoch: str = "e", name: str = "") -> Mark:
    return Mark(Position(epoch, offset), name or f"id{offset}")


def log(first: int, last: int, top: int | None = None) -> LogState:
    offsets = range(first, last + 1)
    entries = [Publication(Position("e", each), f"id{each}", "", Topic.EVENT, b"{}") for each in offsets]
    return LogState(at(last if top is None else top), entries)


@pytest.mark.parametrize(
    ("mark", "state", "missed"),
    [
        (at(3), log(3, 5), [4, 5]),
        (at(3), log(4, 5), [4, 5]),  # its own entry was trimmed
        (at(5), log(5, 5), []),
        (at(5), LogState(at(5)), []),  # the log expired, and nothing was missed
        (NOWHERE, log(1, 2), [1, 2]),
        (NOWHERE, LogState(NOWHERE), []),
        (NOWHERE, log(2, 3), None),
        (at(3), log(5, 6), None),  # trimmed too far
        (at(3), log(3, 5, top=9), None),  # more than one read brings
        (at(7), log(5, 6), None),  # the client is ahead of the log
        (at(3, "old"), log(3, 5), None),
        (at(3), LogState(NOWHERE), None),
        (at(3, name="other"), log(3, 5), None),  # same place, another publication
        (at(5, name="other"), LogState(at(5)), None),
        (Mark(Position("e", 3)), log(3, 5), [4, 5]),  # a client that kept no id
    ],
)
def test_a_gap_is_closed_only_when_nothing_is_missing(mark: Mark, state: LogState, missed: list[int] | None) -> None:
    found = missed_since(mark, state)
    assert (None if found is None else [each.mark.position.offset for each in found]) == missed
