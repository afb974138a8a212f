"""GET /apps/{id}/sse: channels as server-sent events (HTML Living Standard, section 9.2), resumed by `Last-Event-ID`.

Who may: a Bearer key, or a query signed like any other call, which a customer's server makes for a browser. The query
names the channels, so the signature is the authorisation for all of them. Each message's `data` is the event's JSON as
a WebSocket client with positions gets it; its `id` says where every channel of the stream stands.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping

import orjson

from apps.realtime import resuming, subscribing
from apps.realtime.connection import Connection
from apps.realtime.errors import BadChannel, BadRequest, BrokerUnavailable, ConnectionQuota
from apps.realtime.http.callers import identify
from apps.realtime.http.messages import Receive, Request, Scope, Send
from apps.realtime.link import CommandFailed, LinkLost
from apps.realtime.peers import BACKLOG, MAX_QUEUED_BYTES
from apps.realtime.plane import Plane
from apps.realtime.protocol import closing
from apps.realtime.protocol.channels import is_channel_name, kind_of
from apps.realtime.protocol.frames import payloads_of
from apps.realtime.protocol.messages import BadMessage
from apps.realtime.protocol.publications import Mark
from apps.realtime.resuming import Wanted
from apps.realtime.sessions import Session, admit

MAX_CHANNELS = 20
_MAX_LAST_EVENT_ID = 8_192
_CLOSE_TIMEOUT = 5.0
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"access-control-allow-origin", b"*"),
    (b"x-accel-buffering", b"no"),
]


class SseFrames:
    """`peers.Frames` over an HTTP response. backlog: bytes that the server has taken and not yet sent."""

    def __init__(self, send: Send, marks: dict[str, str], backlog: Callable[[], int]) -> None:
        self._send, self._marks, self._backlog = send, marks, backlog
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
        if "channel" not in fields:
            return b":\n\n"  # a ping: a comment keeps the connection, and proxies, awake
        if "epoch" in fields:
            self._marks[fields["channel"]] = f"{fields['epoch']}/{fields['offset']}/{fields['message_id']}"
        place = " ".join(f"{channel}/{mark}" for channel, mark in self._marks.items())
        return f"id: {place}\ndata: ".encode() + payload + b"\n\n"

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
    if plane.is_draining:
        raise BrokerUnavailable(retry_after=1)
    record = await identify(plane.registry, request, application_id, scope="applications.read")
    wishes = _wishes(request)
    engine = await plane.engine(record.region)
    if not await admit(engine, record):
        raise ConnectionQuota
    marks: dict[str, str] = {}
    frames = SseFrames(send, marks, scope.get("extensions", {}).get(BACKLOG, lambda: 0))
    with Session(engine, record, frames, "sse") as connection:
        connection.is_one_way, connection.must_authorize = True, False
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        ends = [asyncio.ensure_future(each) for each in (frames.run(), _disconnected(receive), frames.given_up.wait())]
        try:
            await _listen(connection, wishes)
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()


async def _listen(connection: Connection, wishes: Mapping[str, Wanted]) -> None:
    try:
        for channel, want in wishes.items():
            await subscribing.listen(connection, channel, want)
    except (LinkLost, CommandFailed):
        connection.close(closing.OVER_CAPACITY)  # it has begun, so there is no status left to say it with


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _wishes(request: Request) -> Mapping[str, Wanted]:
    """What to listen to, and from where on. Raises BadChannel, BadRequest."""
    if request.method != "GET":
        raise BadRequest("Streams are read with GET.")
    parameters = request.parameters()
    names = [name for name in parameters.get("channels", "").split(",") if name]
    if not 0 < len(names) <= MAX_CHANNELS:
        raise BadRequest(f"channels is a comma-separated list of 1 to {MAX_CHANNELS} names.")
    if not all(is_channel_name(name) for name in names):
        raise BadChannel
    if any(kind_of(name).is_presence for name in names):
        raise BadRequest("A stream has no member, so it cannot be on a presence channel.")
    rewind = parameters.get("rewind", "0")
    if not (rewind.isascii() and rewind.isdigit() and len(rewind) < 4 and int(rewind) <= resuming.MAX_REWIND):
        raise BadRequest(f"rewind is a whole number from 0 to {resuming.MAX_REWIND}.")
    since = _marks(request.header(b"last-event-id") or parameters.get("last_event_id", ""))
    return {name: Wanted(since.get(name), int(rewind)) for name in names}


def _marks(last_event_id: str) -> dict[str, Mark]:
    """What an earlier stream said in its last `id`. Raises BadRequest."""
    if len(last_event_id) > _MAX_LAST_EVENT_ID:
        raise BadRequest("Last-Event-ID is longer than any id of ours.")
    marks = {}
    for place in last_event_id.split():
        channel, *parts = place.split("/")
        if len(parts) != 3 or not (parts[1].isascii() and parts[1].isdigit() and len(parts[1]) < 16):
            raise BadRequest("Last-Event-ID is not an id of ours.")
        try:
            marks[channel] = resuming.token({"epoch": parts[0], "offset": int(parts[1]), "message_id": parts[2]})
        except BadMessage as error:
            raise BadRequest(str(error)) from None
    return marks
