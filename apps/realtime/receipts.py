"""Receipts that clients report on their sockets, left in a stream for whoever keeps them.

A receipt proves itself by its token, which the plane does not read: whoever takes it does. It is answered once it is in
the stream; a client that hears nothing sends it again, there or elsewhere, and it counts once.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson

from apps.realtime import keys
from apps.realtime.protocol.messages import BadMessage

if TYPE_CHECKING:
    from apps.realtime.link import Lines

#: In one event.
MAX_RECEIPTS = 50
#: Entries that wait at most; with none to take them the oldest go.
_MAX_WAITING = 200_000
_LONGEST = {"token": 64, "kind": 16}


def read_receipts(fields: dict[str, Any]) -> list[dict[str, Any]]:
    """`{"receipts": [{"token", "kind", "at"}]}`; `at` in Unix milliseconds, else now. Raises BadMessage."""
    given = fields.get("receipts")
    if not isinstance(given, list) or not 0 < len(given) <= MAX_RECEIPTS:
        raise BadMessage(f"receipts must be a list of 1 to {MAX_RECEIPTS}")
    now = int(time.time() * 1_000)
    return [_read(one, now) for one in given]


def _read(raw: object, now: int) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise BadMessage("A receipt is an object")
    for name, longest in _LONGEST.items():
        if not isinstance(raw.get(name), str) or len(raw[name]) > longest:
            raise BadMessage(f"A receipt needs a {name} of at most {longest} characters")
    at = raw.get("at")
    is_time = isinstance(at, int | float) and not isinstance(at, bool) and 0 < at < 1e14
    return {"token": raw["token"], "kind": raw["kind"], "at": at if is_time else now}


async def leave_receipts(lines: Lines, receipts: list[dict[str, Any]]) -> None:
    """Returns when they are in the stream. Raises LinkLost, CommandFailed."""
    await lines.call("XADD", keys.RECEIPTS, "MAXLEN", "~", _MAX_WAITING, "*", "r", orjson.dumps(receipts))
