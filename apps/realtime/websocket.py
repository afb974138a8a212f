"""The WebSocket door `/app/{key}`: handshake, limits, then frames until either side ends it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from apps.realtime.connection import Connection
from apps.realtime.engine import Engine
from apps.realtime.http.messages import Receive, Scope, Send
from apps.realtime.link import CommandFailed, LinkLost
from apps.realtime.peers import EXTENSION, MAX_QUEUED_BYTES, AsgiFrames, Frames
from apps.realtime.plane import Plane
from apps.realtime.protocol import closing, messages
from apps.realtime.protocol.closing import Close
from apps.realtime.protocol.signing import query_pairs
from apps.realtime.sessions import Session, admit
from apps.tenants.queries import ApplicationRecord

_PATH = re.compile(r"/app/([^/]+)/?\Z")
_VERSION = re.compile(r"\A[0-9A-Za-z.+_-]{1,64}\Z")
#: Larger than any valid client message; also the server adapters' limit.
MAX_MESSAGE = 64 * 1024


class _Refused(Exception):
    def __init__(self, why: Close) -> None:
        self.why = why


async def serve(plane: Plane, scope: Scope, receive: Receive, send: Send) -> None:
    await receive()  # websocket.connect
    if plane.is_draining:
        # Refused before the upgrade, pusher-js waits longer before it tries again than after any close code.
        await send({"type": "websocket.close", "code": 1001})
        return
    await send({"type": "websocket.accept"})
    frames: Frames = scope.get("extensions", {}).get(EXTENSION) or AsgiFrames(send)
    try:
        record = await _application(plane, scope)
        engine = await plane.engine(record.region)
        if not await admit(engine, record):
            raise _Refused(closing.CONNECTION_QUOTA)
    except _Refused as refused:
        await _end(frames, refused.why, receive)
        return
    except (LinkLost, CommandFailed, OSError):
        await _end(frames, closing.OVER_CAPACITY, receive)
        return
    await _serve_admitted(engine, record, frames, scope, receive)


async def _application(plane: Plane, scope: Scope) -> ApplicationRecord:
    found = _PATH.match(scope["path"])
    if found is None:
        raise _Refused(closing.NO_SUCH_PATH)
    _check_version(dict(query_pairs(scope.get("query_string", b""))))
    record = await plane.registry.application_by_key(unquote(found[1]))
    if record is None:
        raise _Refused(closing.NO_SUCH_APPLICATION)
    if not record.enabled:
        raise _Refused(closing.APPLICATION_DISABLED)
    return record


def _check_version(query: Mapping[str, str]) -> None:
    protocol = query.get("protocol", "")
    if not protocol:
        raise _Refused(closing.NO_PROTOCOL)
    supported = protocol.isascii() and protocol.isdigit() and len(protocol) < 4
    if not supported or not messages.OLDEST_PROTOCOL <= int(protocol) <= messages.PROTOCOL:
        raise _Refused(closing.UNSUPPORTED_PROTOCOL)
    if "version" in query and not _VERSION.match(query["version"]):
        raise _Refused(closing.BAD_VERSION)


async def _end(frames: Frames, why: Close, receive: Receive) -> None:
    frames.accept_writes(MAX_QUEUED_BYTES, lambda: None)
    frames.close(why.code, why.reason)
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def _serve_admitted(
    engine: Engine, record: ApplicationRecord, frames: Frames, scope: Scope, receive: Receive
) -> None:
    query = dict(query_pairs(scope.get("query_string", b"")))
    with Session(engine, record, frames, _client(query)) as connection:
        connection.wants_positions = query.get("positions") == "true"
        connection.send(messages.connection_established(connection.socket_id, record.settings.activity_timeout))
        await _read(connection, receive)


async def _read(connection: Connection, receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        text: Any = message.get("text")
        if connection.is_closing:
            continue
        if text is None:
            connection.refuse("Binary frames are not part of this protocol", closing.MALFORMED)
        else:
            await connection.receive(text)


def _client(query: Mapping[str, str]) -> str:
    return f"{query.get('client', '')} {query.get('version', '')}".strip()[:80]
