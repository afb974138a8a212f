"""Event messages: JSON both ways, and nothing else about them.

Outgoing `data` is a JSON string inside the JSON, as the protocol wants, except in `pusher:error` and
`pusher:subscription_error`.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from apps.realtime.protocol.publications import Mark, marked

PROTOCOL, OLDEST_PROTOCOL = 7, 4
#: Older ones are never pinged; older ones are told in an event why they are closed, before the close frame.
OLDEST_WITH_PING, OLDEST_WITH_CLOSE_CODES = 5, 6
MAX_EVENT_NAME = 200


class BadMessage(Exception):
    """A client's frame is not an event message; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class ClientMessage:
    """What a client sent. data: any JSON value; {} when absent."""

    event: str
    channel: str | None
    data: Any


def parse(text: str | bytes) -> ClientMessage:
    """Raises BadMessage."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise BadMessage("The frame is not valid JSON") from None
    if not isinstance(value, dict):
        raise BadMessage("The frame must hold one JSON object")
    event, channel = value.get("event"), value.get("channel")
    if not isinstance(event, str) or not 0 < len(event) <= MAX_EVENT_NAME:
        raise BadMessage(f"event must be a string of at most {MAX_EVENT_NAME} characters")
    if channel is not None and not isinstance(channel, str):
        raise BadMessage("channel must be a string")
    return ClientMessage(event, channel, value.get("data", {}))


def fields_of(message: ClientMessage) -> dict[str, Any]:
    """The members of a protocol event's data, which may be an object or a JSON string of one. Raises BadMessage."""
    data = message.data
    if isinstance(data, str):
        try:
            data = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise BadMessage("data is not valid JSON") from None
    if not isinstance(data, dict):
        raise BadMessage("data must be an object")
    return data


def text_of(value: Any) -> str:
    """A JSON value as the string the protocol puts inside `data`."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def event(name: str, data: str, channel: str | None = None, *, user_id: str | None = None) -> bytes:
    """The JSON of one outgoing event message."""
    members: dict[str, str] = {"event": name}
    if channel is not None:
        members["channel"] = channel
    members["data"] = data
    if user_id is not None:
        members["user_id"] = user_id
    return orjson.dumps(members)


def connection_established(socket_id: str, activity_timeout: int) -> bytes:
    data = orjson.dumps({"socket_id": socket_id, "activity_timeout": activity_timeout}).decode()
    return event("pusher:connection_established", data)


def subscription_succeeded(channel: str, data: str = "{}") -> bytes:
    return event("pusher_internal:subscription_succeeded", data, channel)


def messages_lost(channel: str, mark: Mark) -> bytes:
    """Ours: publications before this place are gone for good; the subscription goes on from here."""
    return marked(event("pusher:messages_lost", "{}", channel), mark, recovered=False)


def position(channel: str, mark: Mark) -> bytes:
    """Ours: the log went on by a publication that this connection is excluded from."""
    return marked(event("pusher_internal:position", "{}", channel), mark)


def subscription_error(channel: str, kind: str, message: str, status: int) -> bytes:
    data = {"type": kind, "error": message, "status": status}
    return orjson.dumps({"event": "pusher:subscription_error", "channel": channel, "data": data})


def error(message: str, code: int | None = None) -> bytes:
    data: dict[str, str | int] = {"message": message}
    if code is not None:
        data["code"] = code
    return orjson.dumps({"event": "pusher:error", "data": data})


def signin_success(user_data: str) -> bytes:
    return event("pusher:signin_success", orjson.dumps({"user_data": user_data}).decode())


def receipts_noted(count: int) -> bytes:
    """Ours: so many receipts of one `pusher:receipts` are kept."""
    return event("pusher:receipts_noted", f'{{"count":{count}}}')


def cache_miss(channel: str) -> bytes:
    return orjson.dumps({"event": "pusher:cache_miss", "channel": channel})


def subscription_count(channel: str, count: int) -> bytes:
    return event("pusher_internal:subscription_count", f'{{"subscription_count":{count}}}', channel)


def member_added(channel: str, user_id: str, user_info: Any) -> bytes:
    data = {"user_id": user_id} if user_info is None else {"user_id": user_id, "user_info": user_info}
    return event("pusher_internal:member_added", orjson.dumps(data).decode(), channel)


def member_removed(channel: str, user_id: str) -> bytes:
    return event("pusher_internal:member_removed", orjson.dumps({"user_id": user_id}).decode(), channel)


def watchlist_events(*, online: Sequence[str] = (), offline: Sequence[str] = ()) -> bytes:
    """Of no channel."""
    events = [
        {"name": name, "user_ids": list(user_ids)}
        for name, user_ids in (("online", online), ("offline", offline))
        if user_ids
    ]
    return event("pusher_internal:watchlist_events", orjson.dumps({"events": events}).decode())


PING = orjson.dumps({"event": "pusher:ping", "data": "{}"})
PONG = orjson.dumps({"event": "pusher:pong", "data": "{}"})


def new_socket_id() -> str:
    """`digits.digits`, 120 random bits: part of every signature, so it must be unique in the cluster."""
    return f"{secrets.randbits(60)}.{secrets.randbits(60)}"


def is_socket_id(value: object) -> bool:
    if not isinstance(value, str) or len(value) > 64:
        return False
    left, dot, right = value.partition(".")
    return bool(dot) and left.isascii() and left.isdigit() and right.isascii() and right.isdigit()
