"""One push as a request of Apple's provider API. Pure."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

import orjson

from apps.providers.base import Endpoint, Push
from apps.providers.exchanges import Request
from apps.providers.payload import members_of

MAX_PAYLOAD = 4_096
MAX_COLLAPSE_ID = 64
#: APNs keeps a notification for 30 days at most.
_LONGEST = timedelta(days=28)


def request_for(push: Push, endpoint: Endpoint, *, origin: str, topic: str, jwt: str, now: datetime) -> Request:
    """topic: the bundle id. Raises ValueError when the payload is longer than APNs takes."""
    body = orjson.dumps(payload_of(push))
    if len(body) > MAX_PAYLOAD:
        raise ValueError("PayloadTooLarge")
    background = _is_background(push)
    return Request(
        f"{origin}/3/device/{quote(endpoint.address, safe='')}",
        {
            "authorization": f"bearer {jwt}",
            "apns-topic": topic,
            "apns-push-type": "background" if background else "alert",
            "apns-priority": "10" if push.urgent and not background else "5",
            "apns-expiration": str(_expiration(push, now)),
            "apns-collapse-id": collapse_id_of(push),
            "apns-id": str(UUID(push.id)),
        },
        body,
    )


def payload_of(push: Push) -> dict[str, Any]:
    """`aps` and, beside it, what our receivers read. An image needs `mutable-content` and an app that fetches it."""
    shown = push.notification
    if _is_background(push):
        return {"aps": {"content-available": 1}, "pushsaas": members_of(push)}
    aps: dict[str, Any] = {"alert": {"title": shown.title, "body": shown.body}, "sound": "default"}
    if shown.image_url:
        aps["mutable-content"] = 1
    return {"aps": aps, "pushsaas": {name: value for name, value in members_of(push).items() if name not in _IN_APS}}


_IN_APS = frozenset({"title", "body"})


def collapse_id_of(push: Push) -> str:
    """At most 64 bytes; the push's own id makes a repeat of it replace the first."""
    key = push.collapse_key
    if not key:
        return push.id
    return key if key.isascii() and key.isprintable() and len(key) <= MAX_COLLAPSE_ID else _digest(key)


def _digest(key: str) -> str:
    return hashlib.blake2b(key.encode(), digest_size=16).hexdigest()


def _is_background(push: Push) -> bool:
    return not push.notification.title and not push.notification.body


def _expiration(push: Push, now: datetime) -> int:
    """Unix seconds; 0 means now or never."""
    if push.ttl == 0:
        return 0
    lives = _LONGEST if push.ttl is None else min(_LONGEST, timedelta(seconds=push.ttl))
    return int((now + lives).timestamp())
