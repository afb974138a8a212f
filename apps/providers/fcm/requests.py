"""One push as a request of the FCM HTTP v1 API. Pure."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

import orjson

from apps.providers.base import Endpoint, Push
from apps.providers.exchanges import Request
from apps.providers.payload import category_of, members_of

MAX_PAYLOAD = 4_096
_LONGEST = timedelta(days=28)
_IN_NOTIFICATION = frozenset({"title", "body", "image_url"})


def request_for(
    push: Push, endpoint: Endpoint, *, url: str, access_token: str, now: datetime, validate_only: bool = False
) -> Request:
    """url: of the project's `messages:send`. Raises ValueError when the payload is longer than FCM takes."""
    message = message_for(push, endpoint, now)
    if len(orjson.dumps([message.get("notification"), message["data"]])) > MAX_PAYLOAD:
        raise ValueError("PAYLOAD_TOO_LARGE")
    headers = {"authorization": f"Bearer {access_token}", "content-type": "application/json"}
    return Request(url, headers, orjson.dumps({"validate_only": validate_only, "message": message}))


def message_for(push: Push, endpoint: Endpoint, now: datetime) -> dict[str, Any]:
    """The `message` member: the same push for Android, for iOS by way of APNs, and for browsers."""
    collapse = collapse_key_of(push)
    message: dict[str, Any] = {
        "fid" if endpoint.kind == "fid" else "token": endpoint.address,
        "data": _data(push),
        "android": {"priority": "high" if push.urgent else "normal", "collapse_key": collapse, "ttl": f"{_ttl(push)}s"},
        "apns": {"headers": _apns_headers(push, collapse, now), "payload": {"aps": _aps(push)}},
        "webpush": {
            "headers": {"TTL": str(_ttl(push)), "Urgency": "high" if push.urgent else "normal", "Topic": collapse}
        },
    }
    shown = push.notification
    if shown.title or shown.body:
        message["notification"] = {"title": shown.title, "body": shown.body}
        message["android"]["notification"] = {"tag": collapse}
        message["webpush"]["notification"] = {"tag": collapse}
        if shown.image_url:
            message["notification"]["image"] = shown.image_url
        if shown.url.startswith("https://"):
            message["webpush"]["fcm_options"] = {"link": shown.url}
    return message


def collapse_key_of(push: Push) -> str:
    """32 hex digits, which every network behind FCM takes. A repeat of the push replaces the first."""
    if not push.collapse_key:
        return push.id
    return hashlib.blake2b(push.collapse_key.encode(), digest_size=16).hexdigest()


def _data(push: Push) -> dict[str, str]:
    """Text by text, as FCM has it: what is not a text travels as JSON. `msg_id` lets the app drop a repeat."""
    members = {name: value for name, value in members_of(push).items() if name not in _IN_NOTIFICATION and value}
    texts = {name: orjson.dumps(value).decode() for name, value in members.items() if not isinstance(value, str)}
    texts |= {name: value for name, value in members.items() if isinstance(value, str)}
    texts["sent_at"] = push.sent_at.isoformat()
    texts["msg_id"] = texts.pop("id")
    return texts


def _ttl(push: Push) -> int:
    longest = int(_LONGEST.total_seconds())
    return longest if push.ttl is None else min(longest, push.ttl)


def _apns_headers(push: Push, collapse: str, now: datetime) -> dict[str, str]:
    expires = 0 if push.ttl == 0 else int((now + timedelta(seconds=_ttl(push))).timestamp())
    urgent = push.urgent and bool(push.notification.title or push.notification.body)
    return {
        "apns-collapse-id": collapse,
        "apns-priority": "10" if urgent else "5",
        "apns-expiration": str(expires),
    }


def _aps(push: Push) -> dict[str, Any]:
    if not push.notification.title and not push.notification.body:
        return {"content-available": 1}
    aps: dict[str, Any] = {"sound": "default"}
    if push.notification.image_url:
        aps["mutable-content"] = 1
    if push.notification.buttons:
        aps["category"] = category_of(push.notification)
    return aps
