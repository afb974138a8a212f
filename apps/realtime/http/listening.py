"""Who listens by HTTP, to which channels and from where on: what streams and long polls have in common.

Who may: a Bearer key, a token in the query (`token`), or a query signed like any other call, which a customer's server
makes for a browser. Such a query names the channels, so the signature is the authorisation for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from apps.realtime import resuming, subscribing
from apps.realtime.connection import Connection
from apps.realtime.errors import (
    BadChannel,
    BadRequest,
    BrokerUnavailable,
    ConnectionQuota,
    NotAuthentic,
    SwitchedOff,
    UnknownApplication,
)
from apps.realtime.http.callers import check_open, identify
from apps.realtime.http.messages import Receive, Request
from apps.realtime.link import CommandFailed, LinkLost
from apps.realtime.peers import Frames
from apps.realtime.plane import Plane
from apps.realtime.protocol import closing
from apps.realtime.protocol.channels import is_channel_name, kind_of
from apps.realtime.protocol.messages import BadMessage
from apps.realtime.protocol.publications import Mark
from apps.realtime.protocol.tags import BadTags, Filter
from apps.realtime.resuming import Wanted
from apps.realtime.sessions import Session, admit
from apps.realtime.tokens.claims import SUBSCRIBE, Claims, TokenRefused
from apps.realtime.tokens.grants import Grants, grant_of
from apps.tenants.queries import ApplicationRecord

MAX_CHANNELS = 20
#: Says how far the log went on without an event for this listener.
POSITION = "pusher_internal:position"
_MAX_LAST_EVENT_ID = 8_192


class Places:
    """Where every channel stands for one listener, as the text that the next request brings back."""

    def __init__(self) -> None:
        self._marks: dict[str, str] = {}

    def note(self, fields: Mapping[str, Any]) -> None:
        """fields: of an event message with a position, or without one."""
        if "epoch" in fields:
            self._marks[fields["channel"]] = f"{fields['epoch']}/{fields['offset']}/{fields['message_id']}"

    def __str__(self) -> str:
        return " ".join(f"{channel}/{mark}" for channel, mark in self._marks.items())


async def admitted(plane: Plane, request: Request, application_id: str, frames: Frames, client: str) -> Session:
    """The session of a caller who may listen, to be entered at once. Raises HouseErrors, LinkLost, CommandFailed."""
    if plane.is_draining:
        raise BrokerUnavailable(retry_after=1)
    wishes = wishes_of(request)  # refused before it counts as a connection
    filter_of(request)
    token = request.parameters().get("token")
    if token is None:
        claims = None
        record = await identify(plane.registry, request, application_id, scope="applications.read")
    else:
        record, claims = await _by_token(plane, request, application_id, token, wishes)
    _check_switches(record, wishes)
    engine = await plane.engine(record.region)
    why = await admit(engine, record, is_authorized=True)
    if why is not None:
        raise ConnectionQuota if why is closing.CONNECTION_QUOTA else BrokerUnavailable(retry_after=1)
    return Session(
        engine, record, frames, client, is_authorized=True,
        grants=Grants(grant_of(claims)) if claims is not None else None,
    )  # fmt: skip


async def _by_token(
    plane: Plane, request: Request, application_id: str, token: str, wishes: Mapping[str, Wanted]
) -> tuple[ApplicationRecord, Claims]:
    """Public channels need any token of the application, others one that covers them."""
    record = await plane.registry.application(application_id)
    if record is None:
        raise UnknownApplication
    check_open(record, request)
    try:
        claims = await (await plane.engine(record.region)).tokens.read(record, token)
    except TokenRefused as refused:
        raise NotAuthentic(str(refused)) from None
    if not all(claims.allows(SUBSCRIBE, name) for name in wishes if kind_of(name).needs_auth):
        raise NotAuthentic("The token does not allow listening to all of these channels.")
    return record, claims


def _check_switches(record: ApplicationRecord, wishes: Mapping[str, Wanted]) -> None:
    if not record.settings.http_streams:
        raise SwitchedOff("http_streams")
    for want in wishes.values():
        if setting := resuming.switched_off(want, record.settings):
            raise SwitchedOff(setting)


async def listen(connection: Connection, wishes: Mapping[str, Wanted], chosen: Filter | None) -> None:
    """Subscribes to everything; closes the connection where that cannot be done just now."""
    connection.is_one_way = True
    try:
        for channel, want in wishes.items():
            await subscribing.listen(connection, channel, want, chosen)
    except (LinkLost, CommandFailed):
        connection.close(closing.OVER_CAPACITY)  # it has begun, so there is no status left to say it with


async def disconnected(receive: Receive) -> None:
    """Returns when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def wishes_of(request: Request) -> Mapping[str, Wanted]:
    """What to listen to, and from where on. Raises BadChannel, BadRequest."""
    if request.method != "GET":
        raise BadRequest("Channels are listened to with GET.")
    parameters = request.parameters()
    names = [name for name in parameters.get("channels", "").split(",") if name]
    if not 0 < len(names) <= MAX_CHANNELS:
        raise BadRequest(f"channels is a comma-separated list of 1 to {MAX_CHANNELS} names.")
    if not all(is_channel_name(name) for name in names):
        raise BadChannel
    if any(kind_of(name).is_presence for name in names):
        raise BadRequest("Who listens by HTTP is no member, so it cannot be on a presence channel.")
    rewind = whole_number(parameters, "rewind", 0, resuming.MAX_REWIND)
    since = _marks(request.header(b"last-event-id") or parameters.get("last_event_id", ""))
    return {name: Wanted(since.get(name), rewind) for name in names}


def filter_of(request: Request) -> Filter | None:
    """The filter for all channels of the request, as JSON in `filter`. Raises BadRequest."""
    parameters = request.parameters()
    if "filter" not in parameters:
        return None
    names = parameters.get("channels", "").split(",")
    if any(kind_of(name).is_cached for name in names):
        raise BadRequest("A cache channel cannot be filtered.")
    try:
        return Filter(orjson.loads(parameters["filter"]))
    except orjson.JSONDecodeError:
        raise BadRequest("filter is not valid JSON.") from None
    except BadTags as error:
        raise BadRequest(str(error)) from None


def whole_number(parameters: Mapping[str, str], name: str, default: int, highest: int) -> int:
    """Raises BadRequest."""
    text = parameters.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) <= highest):
        raise BadRequest(f"{name} is a whole number from 0 to {highest}.")
    return int(text)


def _marks(last_event_id: str) -> dict[str, Mark]:
    """`channel/epoch/offset/message_id` of each channel; the last part may be missing. Raises BadRequest."""
    if len(last_event_id) > _MAX_LAST_EVENT_ID:
        raise BadRequest("Last-Event-ID is longer than any id of ours.")
    marks = {}
    for place in last_event_id.split():
        channel, *parts = place.split("/")
        if len(parts) not in (2, 3) or not (parts[1].isascii() and parts[1].isdigit() and len(parts[1]) < 16):
            raise BadRequest("Last-Event-ID is not an id of ours.")
        message_id = parts[2] if len(parts) == 3 else ""
        try:
            marks[channel] = resuming.token({"epoch": parts[0], "offset": int(parts[1]), "message_id": message_id})
        except BadMessage as error:
            raise BadRequest(str(error)) from None
    return marks
