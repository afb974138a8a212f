"""Where a session's lines go: the response of the request that is open just now, here or in another gateway."""

from __future__ import annotations

import asyncio
import secrets
from typing import Protocol

from apps.realtime import keys
from apps.realtime.link import Lines, forget
from apps.realtime.protocol import xhr

#: A streaming response without any line for so many seconds has lost its session; sessions write every HEARTBEAT.
SILENCE, HEARTBEAT = 60.0, 25.0


class Outlet(Protocol):
    """One response, as its session sees it. A polling one takes a single piece."""

    id: str
    is_streaming: bool
    #: Characters it may still be given: pusher-js drops what comes behind the limit.
    left: int

    async def give(self, piece: bytes) -> bool:
        """False when nobody was there, so nothing was delivered. Raises LinkLost when that cannot be known."""

    def end(self) -> None:
        """The response is over."""


class LocalOutlet:
    """In the gateway that the request reached. The request reads `next` until it is None."""

    def __init__(self, *, is_streaming: bool) -> None:
        self.id = secrets.token_hex(8)
        self.is_streaming = is_streaming
        self.left = xhr.MAX_RESPONSE
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def give(self, piece: bytes) -> bool:
        self.put(piece)
        return True

    def put(self, piece: bytes) -> None:
        self._pieces.put_nowait(piece)

    def end(self) -> None:
        self._pieces.put_nowait(None)

    async def next(self) -> bytes | None:
        try:
            async with asyncio.timeout(SILENCE):
                return await self._pieces.get()
        except TimeoutError:
            return None


class RemoteOutlet:
    """In another gateway, which hears on the topic of its own name."""

    def __init__(self, lines: Lines, node: str, outlet_id: str, *, is_streaming: bool) -> None:
        self._lines, self._topic = lines, keys.fallback_node(node)
        self.id, self.is_streaming = outlet_id, is_streaming
        self.left = xhr.MAX_RESPONSE

    async def give(self, piece: bytes) -> bool:
        # A gateway whose subscription breaks while this is under way ends all its responses, so the client knows.
        return bool(await self._lines.call("PUBLISH", self._topic, self.id.encode() + b"\n" + piece))

    def end(self) -> None:
        forget(self._lines.call("PUBLISH", self._topic, self.id.encode() + b"\n"))
