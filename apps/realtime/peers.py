"""The way out to one WebSocket client: already-encoded frames, a byte bound, and a close code.

A server adapter puts such an object into `scope["extensions"]["pushsaas.frames"]`. Without one, `AsgiFrames` does the
same through ASGI's own `send`, slower.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from apps.realtime.protocol.frames import payloads_of

EXTENSION = "pushsaas.frames"
#: For HTTP: a function that says how many bytes of a response wait in a server whose `send` never does.
BACKLOG = "pushsaas.backlog"
#: What may wait for one client before it counts as too slow, in bytes.
MAX_QUEUED_BYTES = 1024 * 1024
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Frames(Protocol):
    """Implemented by each adapter. Nothing here waits or raises; after an overflow or a close, writes are ignored."""

    def accept_writes(self, limit: int, on_overflow: Callable[[], None]) -> None:
        """From now on; `on_overflow` is called once, soon, when more than `limit` bytes would wait."""

    def write(self, wire: bytes) -> None:
        """One or several complete frames."""

    def close(self, code: int, reason: str) -> None:
        """Starts the closing handshake; the server then ends the ASGI connection."""

    @property
    def buffered(self) -> int:
        """Bytes not yet taken by the operating system."""


class AsgiFrames:
    """The fallback for any ASGI server: one task per connection that has something to send."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._queue: deque[bytes] = deque()
        self._closing: tuple[int, str] | None = None
        self._task: asyncio.Task[None] | None = None
        self._limit = MAX_QUEUED_BYTES
        self._on_overflow: Callable[[], None] | None = None
        self.buffered = 0

    def accept_writes(self, limit: int, on_overflow: Callable[[], None]) -> None:
        self._limit, self._on_overflow = limit, on_overflow

    def write(self, wire: bytes) -> None:
        if self._closing is not None or self._on_overflow is None:
            return
        if self.buffered + len(wire) > self._limit:
            asyncio.get_running_loop().call_soon(self._on_overflow)
            self._on_overflow = None
            return
        self.buffered += len(wire)
        self._queue.append(wire)
        self._work()

    def close(self, code: int, reason: str) -> None:
        if self._closing is None:
            self._closing = (code, reason)
            self._work()

    def _work(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        while self._queue:
            wire = self._queue.popleft()
            for payload in payloads_of(wire):
                await self._send({"type": "websocket.send", "text": payload.decode()})
            self.buffered -= len(wire)
        if self._closing is not None:
            code, reason = self._closing
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
