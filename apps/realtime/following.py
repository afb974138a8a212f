"""One connection's frames, both ways, for somebody who looks at it in the console. Bounded, and only while they look.

A followed connection writes through `FollowedFrames`; all others pay nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import orjson

from apps.realtime import keys
from apps.realtime.applications import TokenBucket
from apps.realtime.link import Lines, forget
from apps.realtime.peers import Frames
from apps.realtime.protocol.frames import payloads_of

if TYPE_CHECKING:
    from apps.realtime.connection import Connection

#: Entries kept, seconds they are kept, entries a second, characters of a frame, connections of one application.
MAX_ENTRIES, TTL, MAX_RATE, MAX_TEXT, MAX_FOLLOWED = 200, 600, 50, 1_024, 5
Note = Callable[[str, str], None]


class FollowedFrames:
    """`peers.Frames` that tells what passes."""

    def __init__(self, inner: Frames, note: Note) -> None:
        self.inner, self._note = inner, note

    def accept_writes(self, limit: int, on_overflow: Callable[[], None]) -> None:
        self.inner.accept_writes(limit, on_overflow)

    def write(self, wire: bytes) -> None:
        self.inner.write(wire)
        for payload in payloads_of(wire):
            self._note("out", payload.decode(errors="replace"))

    def close(self, code: int, reason: str) -> None:
        self._note("closed", f"{code} {reason}")
        self.inner.close(code, reason)

    @property
    def buffered(self) -> int:
        return self.inner.buffered


def begin(connection: Connection, lines: Lines) -> None:
    """Harmless to repeat."""
    if connection.note is None:
        connection.note = _noting(connection, lines)
        _use(connection, FollowedFrames(connection.frames, connection.note))


def end(connection: Connection) -> None:
    connection.note = None
    if isinstance(connection.frames, FollowedFrames):
        _use(connection, connection.frames.inner)


def _use(connection: Connection, frames: Frames) -> None:
    """The channels hold the old way out."""
    connection.frames = frames
    for subscription in connection.subscriptions.values():
        subscription.channel.rewire(connection.socket_id, frames.write)
    for channel in connection.watched.values():
        channel.rewire(connection.socket_id, frames.write)


def _noting(connection: Connection, lines: Lines) -> Note:
    name = keys.trail(connection.application.record.application_id, connection.socket_id)
    bucket = TokenBucket(MAX_RATE)

    def note(direction: str, text: str) -> None:
        if bucket.take():
            step = orjson.dumps({"at": round(time.time(), 3), "way": direction, "text": text[:MAX_TEXT]})
            forget(lines.call("XADD", name, "MAXLEN", "~", MAX_ENTRIES, "*", "e", step))
            forget(lines.call("EXPIRE", name, TTL))

    return note
