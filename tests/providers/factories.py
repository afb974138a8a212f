"""Pushes for the adapters."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from apps.providers.base import Endpoint, Notification, Push

SENT_AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def make_push(number: int = 1, endpoint: Endpoint | None = None, **changes: Any) -> Push:
    push = Push(
        hashlib.blake2b(str(number).encode(), digest_size=16).hexdigest(), f"person-{number}",
        Notification("Hello", f"You are number {number}", url="https://shop.example/"), "msg_1", "cmp_1", SENT_AT,
        endpoint,
    )  # fmt: skip
    return replace(push, **changes)
