"""POST /pusher/app/{key}/{server}/{session}/xhr_streaming, xhr and xhr_send: connections where WebSockets are blocked.

Source: pusher-js, src/core/http. The path before `/app` is pusher-js's `httpPath`, or nothing.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from urllib.parse import unquote

from apps.realtime.errors import BadRequest, BrokerUnavailable, SwitchedOff, UnknownSession
from apps.realtime.fallback.outlets import LocalOutlet
from apps.realtime.fallback.session import HttpSession
from apps.realtime.handshake import Refused, application_of, client_of
from apps.realtime.http.messages import Receive, Reply, Request, Send
from apps.realtime.plane import Plane
from apps.realtime.protocol import xhr
from apps.realtime.protocol.signing import query_pairs
from apps.realtime.websocket import MAX_MESSAGE
from apps.tenants.queries import ApplicationRecord

_PATH = re.compile(r"(?:/pusher)?/app/([^/]+)/(\d{1,3}/[0-9a-v]{8})/(xhr|xhr_streaming|xhr_send)\Z")
#: Browsers ask before the first request, since it carries JSON to another origin; the answer is good for a day.
_ORIGIN = (b"access-control-allow-origin", b"*")
_PREFLIGHT = (
    _ORIGIN,
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-allow-headers", b"content-type"),
    (b"access-control-max-age", b"86400"),
)
_HEADERS = [
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-accel-buffering", b"no"),
    _ORIGIN,
]


def is_ours(path: str) -> bool:
    return _PATH.match(path) is not None


async def serve(plane: Plane, request: Request, receive: Receive, send: Send) -> None:
    """Raises HouseErrors, LinkLost, CommandFailed, OSError before anything is sent."""
    found = _PATH.match(request.path)
    assert found is not None
    key, session, verb = found.groups()
    if request.method == "OPTIONS":
        await Reply({}, 200, _PREFLIGHT).send(send)
    elif request.method != "POST":
        raise BadRequest("These requests are made with POST.")
    elif verb == "xhr_send":
        await _send(plane, key, session, request, send)
    else:
        await _receive(plane, key, session, request, verb == "xhr_streaming", receive, send)


async def _send(plane: Plane, key: str, session: str, request: Request, send: Send) -> None:
    try:
        texts = xhr.messages_in(request.body)
    except xhr.BadBody:
        raise BadRequest("The body must be a JSON list of strings.") from None
    if any(len(text.encode("utf-8", "replace")) > MAX_MESSAGE for text in texts):
        raise BadRequest(f"A message has at most {MAX_MESSAGE} bytes.")
    record = await plane.registry.application_by_key(unquote(key))
    if record is None:
        raise UnknownSession
    engine = await plane.engine(record.region)
    if not await engine.board.send(_name(record, session), texts):
        raise UnknownSession
    await Reply({}, 200, (_ORIGIN,)).send(send)


async def _receive(
    plane: Plane, key: str, session: str, request: Request, is_streaming: bool, receive: Receive, send: Send
) -> None:
    outlet, query = LocalOutlet(is_streaming=is_streaming), dict(query_pairs(request.query))
    try:
        record = await application_of(plane, key, query, is_secure=request.is_secure)
    except Refused as refused:
        # Without the opening line it would look like a failed attempt, and be tried again.
        outlet.put(xhr.OPEN + xhr.close(refused.why.code, refused.why.reason))
        outlet.end()
        await _respond(outlet, receive, send)
        return
    if not record.settings.http_fallback:
        raise SwitchedOff("http_fallback")
    name = _name(record, session)
    board = (await plane.engine(record.region)).board
    try:
        if not await board.attach(name, outlet):
            await _begin(plane, record, name, outlet, query)
        await _respond(outlet, receive, send)
    finally:
        board.detach(name, outlet)


async def _begin(
    plane: Plane, record: ApplicationRecord, name: str, outlet: LocalOutlet, query: Mapping[str, str]
) -> None:
    if plane.is_draining:
        raise BrokerUnavailable(retry_after=1)
    engine = await plane.engine(record.region)
    session = HttpSession(engine, record, name, client_of(query))
    session.wants_positions = query.get("positions") == "true"
    session.token = query.get("token", "")
    engine.board.begin(name, session, outlet)


async def _respond(outlet: LocalOutlet, receive: Receive, send: Send) -> None:
    """Until the response is full, the session is over, or the client goes."""
    gone = asyncio.ensure_future(_disconnected(receive))
    writing = asyncio.ensure_future(_write(outlet, send))
    try:
        await asyncio.wait([gone, writing], return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        writing.cancel()


async def _write(outlet: LocalOutlet, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    while (piece := await outlet.next()) is not None:
        await send({"type": "http.response.body", "body": piece, "more_body": outlet.is_streaming})
        if not outlet.is_streaming:
            return
    await send({"type": "http.response.body", "body": b""})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _name(record: ApplicationRecord, session: str) -> str:
    return f"{record.application_id}:{session}"
