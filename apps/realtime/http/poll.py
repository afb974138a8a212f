"""GET /apps/{id}/poll: channels by long poll, on the same log as streams and for the same callers.

One request, one answer: what followed `last_event_id`, or as soon as there is something, or nothing after `timeout`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson

from apps.realtime.http import listening
from apps.realtime.http.messages import Receive, Reply, Request, Send
from apps.realtime.peers import MAX_QUEUED_BYTES
from apps.realtime.plane import Plane
from apps.realtime.protocol.frames import payloads_of

#: Seconds. Below what proxies and browsers wait for a first byte.
DEFAULT_TIMEOUT, MAX_TIMEOUT = 25, 55
#: Neighbours of the first event come with it, in seconds.
_GATHER = 0.01
_ACK = "pusher_internal:subscription_succeeded"
_HEADERS = ((b"cache-control", b"no-store"), (b"access-control-allow-origin", b"*"))


class PollFrames:
    """`peers.Frames` that collects one answer. What does not fit is left for the next request."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        #: Of each channel that was to be resumed, whether the gap could be closed.
        self.recovered: dict[str, bool] = {}
        self.places = listening.Places()
        self.ready = asyncio.Event()
        self.buffered = 0
        self._is_full = False

    def accept_writes(self, limit: int, on_overflow: Callable[[], None]) -> None:
        """One request's share of memory is bounded here; an overflow is no fault of the client."""

    def write(self, wire: bytes) -> None:
        for payload in payloads_of(wire):
            self._take(payload)

    def _take(self, payload: bytes) -> None:
        fields = orjson.loads(payload)
        self._is_full = self._is_full or self.buffered + len(payload) > MAX_QUEUED_BYTES
        if self._is_full or "channel" not in fields:
            return
        self.buffered += len(payload)
        self.places.note(fields)
        if fields["event"] == listening.POSITION:
            return
        if fields["event"] != _ACK:
            self.events.append(fields)
        elif "recovered" in fields:
            self.recovered[fields["channel"]] = fields["recovered"]
        if fields["event"] != _ACK or not fields.get("recovered"):
            self.ready.set()

    def close(self, code: int, reason: str) -> None:
        self.ready.set()

    def answer(self) -> dict[str, Any]:
        return {"events": self.events, "recovered": self.recovered, "last_event_id": str(self.places)}


async def serve(plane: Plane, request: Request, application_id: str, receive: Receive, send: Send) -> None:
    """Raises HouseErrors, LinkLost, CommandFailed before anything is sent."""
    patience = listening.whole_number(request.parameters(), "timeout", DEFAULT_TIMEOUT, MAX_TIMEOUT)
    frames = PollFrames()
    with await listening.admitted(plane, request, application_id, frames, "poll") as connection:
        gone = asyncio.ensure_future(listening.disconnected(receive))
        ready = asyncio.ensure_future(frames.ready.wait())
        try:
            await listening.listen(connection, listening.wishes_of(request), listening.filter_of(request))
            await asyncio.wait([gone, ready], timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if frames.events and not gone.done():
                await asyncio.sleep(_GATHER)
        finally:
            gone.cancel()
            ready.cancel()
    await Reply(frames.answer(), 200, _HEADERS).send(send)
