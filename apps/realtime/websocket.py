"""The WebSocket door `/app/{key}`: handshake, limits, then frames until either side ends it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from apps.realtime import metrics
from apps.realtime.connection import Connection
from apps.realtime.engine import Engine
from apps.realtime.handshake import Refused, application_of, client_of
from apps.realtime.http.messages import Receive, Scope, Send, is_secure
from apps.realtime.link import CommandFailed, LinkLost
from apps.realtime.peers import EXTENSION, MAX_QUEUED_BYTES, AsgiFrames, Frames
from apps.realtime.plane import Plane
from apps.realtime.protocol import closing, messages
from apps.realtime.protocol.closing import Close
from apps.realtime.protocol.frames import frame
from apps.realtime.protocol.signing import query_pairs
from apps.realtime.sessions import Session, admit
from apps.realtime.tokens import grants
from apps.tenants.queries import ApplicationRecord

_PATH = re.compile(r"/app/([^/]+)/?\Z")
_WITHOUT_CLOSE_CODES = frozenset(map(str, range(messages.OLDEST_WITH_CLOSE_CODES)))
#: Larger than any valid client message; also the server adapters' limit.
MAX_MESSAGE = 64 * 1024


async def serve(plane: Plane, scope: Scope, receive: Receive, send: Send) -> None:
    await receive()  # websocket.connect
    if plane.is_draining:
        # Refused before the upgrade, pusher-js waits longer before it tries again than after any close code.
        await send({"type": "websocket.close", "code": 1001})
        return
    await send({"type": "websocket.accept"})
    frames: Frames = scope.get("extensions", {}).get(EXTENSION) or AsgiFrames(send)
    query = dict(query_pairs(scope.get("query_string", b"")))
    try:
        record = await _application(plane, scope, query)
        engine = await plane.engine(record.region)
        why = await admit(engine, record)
        if why is not None:
            engine.note_error(engine.application(record), why.reason, why.code)
    except Refused as refused:
        why = refused.why
    except (LinkLost, CommandFailed, OSError):
        why = closing.OVER_CAPACITY
    if why is not None:
        await _end(frames, why, query, receive)
        return
    await _serve_admitted(engine, record, frames, query, receive)


async def _application(plane: Plane, scope: Scope, query: Mapping[str, str]) -> ApplicationRecord:
    found = _PATH.match(scope["path"])
    if found is None:
        raise Refused(closing.NO_SUCH_PATH)
    return await application_of(plane, found[1], query, is_secure=is_secure(scope))


async def _end(frames: Frames, why: Close, query: Mapping[str, str], receive: Receive) -> None:
    metrics.CLOSED.labels(why.code).inc()
    frames.accept_writes(MAX_QUEUED_BYTES, lambda: None)
    if query.get("protocol") in _WITHOUT_CLOSE_CODES:
        frames.write(frame(messages.error(why.reason, why.code)))
    frames.close(why.code, why.reason)
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def _serve_admitted(
    engine: Engine, record: ApplicationRecord, frames: Frames, query: Mapping[str, str], receive: Receive
) -> None:
    with Session(engine, record, frames, client_of(query)) as connection:
        connection.protocol = int(query["protocol"])
        connection.wants_positions = query.get("positions") == "true"
        connection.send(messages.connection_established(connection.socket_id, record.settings.activity_timeout))
        if "token" in query:
            await _enter(connection, query["token"])
        await _read(connection, receive)


async def _enter(connection: Connection, token: str) -> None:
    try:
        await grants.open_with(connection, token)
    except (LinkLost, CommandFailed):
        connection.close(closing.OVER_CAPACITY)


async def _read(connection: Connection, receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            if not connection.is_closing:
                connection.closed_with = closing.by_client(message.get("code"))
            return
        text: Any = message.get("text")
        if connection.is_closing:
            continue
        if text is None:
            connection.refuse("Binary frames are not part of this protocol", closing.MALFORMED)
        else:
            await connection.receive(text)
