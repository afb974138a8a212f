"""One push as a request of Apple's provider API. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import orjson

from apps.providers.apns.kinds import ALERT, BACKGROUND, KINDS, Kind
from apps.providers.base import APPLE_KINDS, Endpoint, Push
from apps.providers.exchanges import Request
from apps.providers.payload import category_of, members_of

MAX_COLLAPSE_ID = 64
#: APNs keeps a notification for 30 days at most.
_LONGEST = timedelta(days=28)


def request_for(push: Push, endpoint: Endpoint, *, origin: str, topic: str, jwt: str, now: datetime) -> Request:
    """topic: the bundle id. Raises ValueError when APNs would not take the payload."""
    name = push_type_of(push, endpoint)
    kind = KINDS[name]
    body, id = orjson.dumps(payload_of(push, name, now)), push.id
    if len(body) > kind.most:
        raise ValueError("PayloadTooLarge")
    return Request(
        f"{origin}/3/device/{quote(endpoint.address, safe='')}",
        {
            "authorization": f"bearer {jwt}",
            "apns-topic": f"{topic}{kind.suffix}",
            "apns-push-type": name,
            "apns-priority": _priority(push, kind),
            "apns-expiration": str(_expiration(push, now)),
            "apns-collapse-id": collapse_id_of(push),
            "apns-id": f"{id[:8]}-{id[8:12]}-{id[12:16]}-{id[16:20]}-{id[20:]}",
        },
        body,
    )


def push_type_of(push: Push, endpoint: Endpoint) -> str:
    """The token says it where it serves one type alone; else the content, or whether there is something to show."""
    if endpoint.kind in APPLE_KINDS:
        return endpoint.kind
    silent = not push.notification.title and not push.notification.body
    wanted: str = push.notification.apns.get("push_type", BACKGROUND if silent else ALERT)
    return wanted


def payload_of(push: Push, push_type: str, now: datetime) -> dict[str, Any]:
    """`aps` and, beside it, what our receivers read; for tokens of one type also the data, as the app's own members.

    Raises ValueError when there is nothing that an MDM server must say.
    """
    aps: Mapping[str, Any] = push.notification.apns.get("aps", {})
    members = members_of(push)
    if push_type == ALERT:
        rest = {name: value for name, value in members.items() if name not in _IN_APS}
        return {"aps": {**_shown(push), **aps, "alert": _words(push, aps)}, "pushsaas": rest}
    if push_type == BACKGROUND:
        return {"aps": {**aps, "content-available": 1}, "pushsaas": members}
    data = members.pop("data")
    if push_type == "mdm":
        if "mdm" not in data:
            raise ValueError("PayloadEmpty")
        return {"mdm": data["mdm"]}
    return {**data, "aps": {**_expected(push_type, now), **aps}, "pushsaas": members}


_IN_APS = frozenset({"title", "body"})


def _shown(push: Push) -> dict[str, Any]:
    """An image needs `mutable-content` and an app that fetches it, buttons a category that the app has registered."""
    shown = {"sound": "default", "mutable-content": 1} if push.notification.image_url else {"sound": "default"}
    category = category_of(push.notification)
    return {**shown, "category": category} if category else shown


def _words(push: Push, aps: Mapping[str, Any]) -> dict[str, Any]:
    return {"title": push.notification.title, "body": push.notification.body, **aps.get("alert", {})}


def _expected(push_type: str, now: datetime) -> dict[str, Any]:
    """What the type must have and nobody wants to write."""
    if push_type == "liveactivity":
        return {"timestamp": int(now.timestamp())}
    return {"content-changed": True} if push_type in {"widgets", "controls"} else {}


def _priority(push: Push, kind: Kind) -> str:
    wanted = push.notification.apns.get("priority", 10 if push.urgent else 5)
    return str(wanted if wanted in kind.priorities else kind.priorities[0])


def collapse_id_of(push: Push) -> str:
    """At most 64 bytes; the push's own id makes a repeat of it replace the first."""
    key = push.collapse_key
    if not key:
        return push.id
    return key if key.isascii() and key.isprintable() and len(key) <= MAX_COLLAPSE_ID else _digest(key)


def _digest(key: str) -> str:
    return hashlib.blake2b(key.encode(), digest_size=16).hexdigest()


def _expiration(push: Push, now: datetime) -> int:
    """Unix seconds; 0 means now or never."""
    if push.ttl == 0:
        return 0
    lives = _LONGEST if push.ttl is None else min(_LONGEST, timedelta(seconds=push.ttl))
    return int((now + lives).timestamp())
