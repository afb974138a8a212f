"""What the product asks of the stand-ins that no real network could be asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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


def _ask(origin: str, request: Request) -> dict[str, Any]:
    [answer] = exchange(Lane("stand-ins", origin, timeout=_TIMEOUT), [request])
    if not isinstance(answer, Reply) or answer.status >= 300:
        raise NetworkSilent
    return json_object(answer.body)
