"""Which call a path means, who may make it, and what its errors look like."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import unquote

from apps.core.errors import HouseError
from apps.realtime.engine import Engine
from apps.realtime.errors import BrokerUnavailable, UnknownPath
from apps.realtime.http import fallback, history, poll, publish, queries, sse
from apps.realtime.http.callers import identify
from apps.realtime.http.messages import Receive, Reply, Request, Scope, Send, error_reply, read_request
from apps.realtime.link import CommandFailed, LinkLost
from apps.realtime.plane import Plane
from apps.tenants.queries import ApplicationRecord

log = logging.getLogger(__name__)

Call = Callable[..., Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Route:
    """scopes: what a Bearer key must carry. The pattern's groups after the first are the call's last arguments."""

    method: str
    pattern: re.Pattern[str]
    call: Call
    scope: str


def _route(method: str, pattern: str, call: Call, scope: str) -> Route:
    return Route(method, re.compile(pattern + r"\Z"), call, scope)


_ROUTES = (
    _route("POST", r"/apps/([^/]+)/events", publish.post_event, "publish"),
    _route("POST", r"/apps/([^/]+)/batch_events", publish.post_batch, "publish"),
    _route("GET", r"/apps/([^/]+)/channels", queries.get_channels, "applications.read"),
    _route("GET", r"/apps/([^/]+)/channels/([^/]+)", queries.get_channel, "applications.read"),
    _route("GET", r"/apps/([^/]+)/channels/([^/]+)/users", queries.get_users, "applications.read"),
    _route("GET", r"/apps/([^/]+)/channels/([^/]+)/history", history.get_history, "applications.read"),
    _route("POST", r"/apps/([^/]+)/users/([^/]+)/terminate_connections", queries.terminate, "publish"),
    # The official Python SDK leaves /apps/ID out here.
    _route("POST", r"/()users/([^/]+)/terminate_connections", queries.terminate, "publish"),
)
_STREAM = re.compile(r"/apps/([^/]+)/sse\Z")
_POLL = re.compile(r"/apps/([^/]+)/poll\Z")
_OURS = re.compile(r"/apps/|/users/[^/]+/terminate_connections\Z")


def is_ours(path: str) -> bool:
    return _OURS.match(path) is not None or fallback.is_ours(path)


async def serve(plane: Plane, scope: Scope, receive: Receive, send: Send) -> None:
    try:
        request = await read_request(scope, receive)
        if found := _found(request):
            await (await _reply(plane, request, *found)).send(send)
            return
        if stream := _STREAM.match(request.path):
            await sse.serve(plane, scope, request, unquote(stream[1]), receive, send)
            return
        if asked := _POLL.match(request.path):
            await poll.serve(plane, request, unquote(asked[1]), receive, send)
            return
        if fallback.is_ours(request.path):
            await fallback.serve(plane, request, receive, send)
            return
        reply = _unrouted(request)
    except HouseError as error:
        reply = error_reply(error)
    except (LinkLost, CommandFailed, OSError) as error:
        log.warning("http.broker_unavailable %s", error)
        reply = error_reply(BrokerUnavailable(retry_after=1))
    await reply.send(send)


def _found(request: Request) -> tuple[Route, list[str]] | None:
    for route in _ROUTES:
        if route.method == request.method and (found := route.pattern.match(request.path)):
            return route, [unquote(group) for group in found.groups()]
    return None


async def _reply(plane: Plane, request: Request, route: Route, arguments: list[str]) -> Reply:
    application_id, *rest = arguments
    try:
        record = await identify(plane.registry, request, application_id or None, scope=route.scope)
    except HouseError as error:
        await _note_stranger(plane, application_id, error)
        raise
    return await _call(await plane.engine(record.region), record, request, route, rest)


def _unrouted(request: Request) -> Reply:
    """Raises UnknownPath."""
    methods = {route.method for route in _ROUTES if route.pattern.match(request.path)}
    if not methods:
        raise UnknownPath
    allowed = ", ".join(sorted(methods)).encode()
    message = f"This path takes {allowed.decode()}."
    return Reply({"code": "method_not_allowed", "message": message}, 405, ((b"allow", allowed),))


async def _call(engine: Engine, record: ApplicationRecord, request: Request, route: Route, rest: list[str]) -> Reply:
    try:
        return await route.call(engine, record, request, *rest)
    except HouseError as error:
        engine.note_error(engine.application(record), str(error.message), error.code)
        raise


async def _note_stranger(plane: Plane, application_id: str, error: HouseError) -> None:
    """A bad signature is the application's to see, too."""
    record = await plane.registry.application(application_id)
    if record is not None:
        engine = await plane.engine(record.region)
        engine.note_error(engine.application(record), str(error.message), error.code)
