"""The lines of pusher-js's HTTP transports, which resemble SockJS's. No I/O.

Source: pusher-js, src/core/http. Each line ends with a newline: `o` open, `a["…"]` an event, `h` heartbeat,
`c[code,"reason"]` close. Lines are pure ASCII, so that their bytes are the characters pusher-js counts.
"""

from __future__ import annotations

import json

import orjson

OPEN, HEARTBEAT = b"o\n", b"h\n"
#: pusher-js leaves a streaming response, and opens another, as soon as it has read this many characters.
MAX_RESPONSE = 256 * 1024 + 1


class BadBody(ValueError):
    """What was sent is no JSON list of strings."""


def event(payload: bytes) -> bytes:
    """payload: the JSON of one event message."""
    return b"a[" + json.dumps(payload.decode()).encode() + b"]\n"


def close(code: int, reason: str) -> bytes:
    return b"c" + json.dumps([code, reason]).encode() + b"\n"


def messages_in(body: bytes) -> list[str]:
    """What a client sent in one request; empty for a heartbeat. Raises BadBody."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadBody from error
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise BadBody
    return value
