"""The body of one call, by the way it is signed. Pure.

Pusher: `{"time_ms":…,"events":[…]}`, stamped anew for each attempt because its SDKs refuse what is older than five
minutes. Standard Webhooks 1.0.0: `type`, `timestamp` (of the event), `data`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from apps.webhooks.events import TYPES, ChannelEvent


def pusher_body(events: Sequence[ChannelEvent], *, now: datetime) -> bytes:
    return orjson.dumps({"time_ms": round(now.timestamp() * 1_000), "events": [event.as_told for event in events]})


def standard_body(events: Sequence[ChannelEvent]) -> bytes:
    """One event as itself, several as `channel.events` with each as it would be alone."""
    told = [_standard(event) for event in events]
    if len(told) == 1:
        return orjson.dumps(told[0])
    return orjson.dumps({"type": "channel.events", "timestamp": told[0]["timestamp"], "data": {"events": told}})


def _standard(event: ChannelEvent) -> dict[str, Any]:
    at = datetime.fromtimestamp(event.at / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"type": TYPES[event.name], "timestamp": at, "data": {"channel": event.channel, **event.facts}}
