"""What the product asks of the stand-ins that no real network could be asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings

from apps.providers.answers import json_object
from apps.providers.errors import NetworkSilent
from apps.providers.exchanges import Lane, Reply, Request
from apps.providers.http import exchange

_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class BrowserSubscription:
    """As `PushManager.subscribe()` gives it."""

    endpoint: str
    p256dh: str
    auth: str


def subscribe_browser(sender_key: str) -> BrowserSubscription:
    """A new browser of this machine. sender_key: `applicationServerKey`. Raises NetworkSilent."""
    origin = settings.STAND_INS_PUSH_URL
    told = _ask(origin, Request(f"{origin}/subscribe", {}, sender_key.encode()))
    return BrowserSubscription(str(told["endpoint"]), str(told["keys"]["p256dh"]), str(told["keys"]["auth"]))


def shown_after(number: int) -> dict[str, Any]:
    """`notices` after that number, as screens.py has them, and `next`. Raises NetworkSilent."""
    origin = settings.STAND_INS_URL
    return _ask(origin, Request(f"{origin}/shown?after={number}", {}, method="GET"))


def faults() -> list[dict[str, Any]]:
    """Of every stand-in: `network`, `choices`, the `fault` that is on, requests `left`. Raises NetworkSilent."""
    origin = settings.STAND_INS_URL
    found: list[dict[str, Any]] = _ask(origin, Request(f"{origin}/faults", {}, method="GET"))["networks"]
    return found


def switch_fault(network: str, fault: str, count: int) -> None:
    """For its next `count` requests. Raises NetworkSilent for what the stand-ins do not know."""
    origin = settings.STAND_INS_URL
    body = orjson.dumps({"network": network, "fault": fault, "count": count})
    _ask(origin, Request(f"{origin}/faults", {}, body))


def _ask(origin: str, request: Request) -> dict[str, Any]:
    [answer] = exchange(Lane("stand-ins", origin, timeout=_TIMEOUT), [request])
    if not isinstance(answer, Reply) or answer.status >= 300:
        raise NetworkSilent
    return json_object(answer.body)
