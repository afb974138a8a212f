"""What a notification is to every vendor: its class, who may share a request, where a tap leads. Pure."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, replace
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

import orjson

from apps.providers.base import Push


def is_marketing(push: Push) -> bool:
    """As its author said, else by its origin: a campaign's is marketing."""
    return push.notification.purpose != "service" and bool(push.notification.purpose or push.campaign_id)


def groups_of(pushes: Sequence[Push], size: int) -> list[list[Push]]:
    """Pushes that differ in nothing but person and device, at most `size` together.

    Who shares a request carries no receipt token: it would be another person's.
    """
    alike: dict[bytes, list[Push]] = {}
    for push in pushes:
        alike.setdefault(_sameness(push), []).append(push)
    groups = [group[at : at + size] for group in alike.values() for at in range(0, len(group), size)]
    return [group if len(group) == 1 else [replace(push, receipt="") for push in group] for group in groups]


def _sameness(push: Push) -> bytes:
    shown = asdict(push.notification)
    return orjson.dumps([shown, push.message_id, push.campaign_id, push.ttl, push.collapse_key, push.urgent])


def data_of(push: Push) -> dict[str, Any]:
    """What the app finds in it. A device gets a message once, so `message_id` tells a repeat."""
    members = {
        "message_id": push.message_id,
        "campaign_id": push.campaign_id,
        "url": push.notification.url,
        "data": push.notification.data,
        "receipt": push.receipt,
    }
    return {name: value for name, value in members.items() if value}


def texts_of(push: Push) -> dict[str, str]:
    """The same for networks that carry texts only: what is none travels as JSON."""
    return {
        name: value if isinstance(value, str) else orjson.dumps(value).decode() for name, value in data_of(push).items()
    }


def digest_of(push: Push) -> bytes:
    """16 bytes, the same for what shall replace each other: pushes of one collapse key, else repeats of a message."""
    return hashlib.blake2b((push.collapse_key or push.message_id).encode(), digest_size=16).digest()


def number_of(push: Push) -> int:
    """The same as a positive number of 31 bits."""
    return int.from_bytes(digest_of(push)[:4], "big") >> 1 or 1


class Tap(Enum):
    """Where a tap leads: into the app, to a web page, to a place in an app."""

    APP = "app"
    WEB = "web"
    PAGE = "page"


def tap_of(url: str) -> tuple[Tap, str]:
    """A link of any scheme but http(s) and intent becomes an Android intent URI, which all of the vendors take."""
    scheme = urlsplit(url).scheme.lower()
    if not scheme:
        return Tap.APP, ""
    if scheme in {"http", "https"}:
        return Tap.WEB, url
    if scheme == "intent":
        return Tap.PAGE, url
    return Tap.PAGE, f"intent:{url.partition(':')[2]}#Intent;scheme={scheme};launchFlags=0x4000000;end"


def columns_of(text: str) -> int:
    """Half-width columns: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WFA" else 1 for character in text)
