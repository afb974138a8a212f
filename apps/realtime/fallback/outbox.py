"""What waits for a session's next response."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from apps.realtime.peers import MAX_QUEUED_BYTES
from apps.realtime.protocol import xhr
from apps.realtime.protocol.frames import payloads_of


class Outbox:
    """`peers.Frames` that keeps lines until somebody takes them. changed: set whenever there is more to do."""

    def __init__(self, changed: asyncio.Event, on_close: Callable[[], None]) -> None:
        self._changed, self._on_close = changed, on_close
        self._lines: deque[bytes] = deque()
        self._limit = MAX_QUEUED_BYTES
        self._on_overflow: Callable[[], None] | None = None
        self._is_closed = False
        self.buffered = 0

    def accept_writes(self, limit: int, on_overflow: Callable[[], None]) -> None:
        self._limit, self._on_overflow = limit, on_overflow

    def write(self, wire: bytes) -> None:
        if self._is_closed or self._on_overflow is None:
            return
        if self.buffered + len(wire) > self._limit:
            asyncio.get_running_loop().call_soon(self._on_overflow)
            self._on_overflow = None
            return
        for payload in payloads_of(wire):
            self.put(xhr.event(payload))

    def put(self, line: bytes) -> None:
        self._lines.append(line)
        self.buffered += len(line)
        self._changed.set()

    def close(self, code: int, reason: str) -> None:
        if not self._is_closed:
            self._is_closed = True
            self.put(xhr.close(code, reason))
            self._on_close()

    @property
    def is_done(self) -> bool:
        """Closed, and the client was told."""
        return self._is_closed and not self._lines

    def take(self, room: int) -> bytes:
        """As many lines as fit, one at least; nothing when there is none."""
        taken: list[bytes] = []
        while self._lines and (not taken or len(self._lines[0]) <= room):
            line = self._lines.popleft()
            room -= len(line)
            taken.append(line)
        piece = b"".join(taken)
        self.buffered -= len(piece)
        return piece

    def put_back(self, piece: bytes) -> None:
        """Nobody was there to take it."""
        self._lines.appendleft(piece)
        self.buffered += len(piece)
