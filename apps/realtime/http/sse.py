"""GET /apps/{id}/sse: channels as server-sent events (HTML Living Standard, section 9.2), resumed by `Last-Event-ID`.

Each message's `data` is the event's JSON as a WebSocket client with positions gets it; its `id` says where every
channel of the stream stands. Who may listen is in listening.py.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable

import orjson

from apps.realtime.http import listening
from apps.realtime.http.messages import Receive, Request, Scope, Send
from apps.realtime.peers import BACKLOG, MAX_QUEUED_BYTES
from apps.realtime.plane import Plane
from apps.realtime.protocol.frames import payloads_of

_CLOSE_TIMEOUT = 5.0
_EXPIRING = "pusher:token_expiring"
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"access-control-allow-origin", b"*"),
    (b"x-accel-buffering", b"no"),
]


class SseFrames:
    """`peers.Frames` over an HTTP response. backlog: bytes that the server has taken and not yet sent."""

    def __init__(self, send: Send, backlog: Callable[[], int]) -> None:
        self._send, self._backlog = send, backlog
        self._places = listening.Places()
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._limit = MAX_QUEUED_BYTES
        self._on_overflow: Callable[[], None] | None = None
        self._wake = asyncio.Event()
        self._is_closed = False
        #: Set some seconds after `close`, for a client that does not even read that.
        self.given_up = asyncio.Event()

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
            self._put(self._message(payload))

    def _message(self, payload: bytes) -> bytes:
        fields = orjson.loads(payload)
        if fields["event"] == _EXPIRING:
            return b"data: " + payload + b"\n\n"
        if "channel" not in fields:
            return b":\n\n"  # a ping: a comment keeps the connection, and proxies, awake
        self._places.note(fields)
        if fields["event"] == listening.POSITION:
            return f"id: {self._places}\n\n".encode()  # moves Last-Event-ID, and is no event
        return f"id: {self._places}\ndata: ".encode() + payload + b"\n\n"

    def _put(self, text: bytes) -> None:
        self._queue.append(text)
        self._queued += len(text)
        self._wake.set()

    def close(self, code: int, reason: str) -> None:
        """The stream ends; an EventSource comes back by itself, here with some jitter."""
        if not self._is_closed:
            self._is_closed = True
            self._queue.append(f"retry: {random.randint(500, 1_500)}\n\n".encode())  # noqa: S311  # spreads load only
            self._wake.set()
            asyncio.get_running_loop().call_later(_CLOSE_TIMEOUT, self.given_up.set)

    @property
    def buffered(self) -> int:
        return self._queued + self._backlog()

    async def run(self) -> None:
        """Sends until the stream is closed."""
        while not self._is_closed or self._queue:
            await self._wake.wait()
            self._wake.clear()
            body = b"".join(self._queue)
            self._queue.clear()
            await self._send({"type": "http.response.body", "body": body, "more_body": True})
            self._queued -= min(len(body), self._queued)
        await self._send({"type": "http.response.body", "body": b""})


async def serve(
    plane: Plane, scope: Scope, request: Request, application_id: str, receive: Receive, send: Send
) -> None:
    """Raises HouseErrors, LinkLost, CommandFailed before anything is sent."""
    frames = SseFrames(send, scope.get("extensions", {}).get(BACKLOG, lambda: 0))
    with await listening.admitted(plane, request, application_id, frames, "sse") as connection:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        ends = [
            asyncio.ensure_future(each)
            for each in (frames.run(), listening.disconnected(receive), frames.given_up.wait())
        ]
        try:
            await listening.listen(connection, listening.wishes_of(request), listening.filter_of(request))
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
