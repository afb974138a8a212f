"""What the phone makers' stand-ins have in common: which devices there are, what a day allows, and how JSON is said."""

from __future__ import annotations

import json
import secrets
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from apps.providers.counterparts.server import Incoming, Outgoing


@dataclass(frozen=True, slots=True)
class Shown:
    """A message on a device. whole: as the service got it."""

    device: str
    title: str
    body: str
    whole: dict[str, Any]


@dataclass(slots=True)
class VendorService(ABC):
    """malformed: ids no device ever had. gone: ids of uninstalled apps. silent: notifications are off.

    day_quota: marketing messages left today; None: as many as one likes. shown: what arrived, in order. tokens: access
    tokens and when they end; taken out, one is unknown.
    """

    allows_one_stream_first: bool = False
    malformed: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    day_quota: int | None = None
    shown: list[Shown] = field(default_factory=list)
    tokens: dict[str, float] = field(default_factory=dict)
    tokens_given: int = 0

    @abstractmethod
    def take(self, incoming: Incoming) -> Outgoing: ...

    def is_known(self, device: str) -> bool:
        """Ids of zeros are nobody's."""
        return device not in self.malformed | self.gone | self.silent and bool(device.strip("0"))

    def has_quota(self, count: int) -> bool:
        if self.day_quota is None:
            return True
        if self.day_quota < count:
            return False
        self.day_quota -= count
        return True

    def give_token(self, lives: float) -> str:
        self.tokens_given += 1
        token = secrets.token_hex(24)
        self.tokens[token] = time.time() + lives
        return token

    def token_is_good(self, token: str) -> bool:
        return self.tokens.get(token, 0.0) > time.time()


def json_body(incoming: Incoming) -> dict[str, Any]:
    try:
        parsed = json.loads(incoming.body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def form_body(incoming: Incoming) -> dict[str, str]:
    if not incoming.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return {}
    return dict(parse_qsl(incoming.body.decode(), keep_blank_values=True))


def say(body: dict[str, Any], status: int = 200) -> Outgoing:
    return Outgoing(status, {"content-type": "application/json;charset=utf-8"}, json.dumps(body).encode())


def is_fresh(milliseconds: str, minutes: int = 10) -> bool:
    return milliseconds.isdecimal() and abs(time.time() - int(milliseconds) / 1000) < minutes * 60
