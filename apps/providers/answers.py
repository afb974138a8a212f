"""What answers of different networks have in common. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from apps.providers.base import Outcome, Result, Scope
from apps.providers.exchanges import NOT_BEGUN, Lost, Reply


def outcome_of_lost(push_id: str, lost: Lost, scope: Scope = Scope.PROVIDER) -> Outcome:
    """No answer came. scope: whose fault a request is that surely was not sent, though its turn had come."""
    if lost == NOT_BEGUN:
        return Outcome(push_id, Result.UNAVAILABLE, Scope.CREDENTIAL, lost.reason)
    if lost.sent:
        return Outcome(push_id, Result.UNKNOWN, Scope.PROVIDER, lost.reason)
    return Outcome(push_id, Result.UNAVAILABLE, scope, lost.reason)


def retry_after(reply: Reply, now: datetime) -> float | None:
    """Seconds that the network asked for, from either form of the header, never negative."""
    text = reply.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdecimal() and len(text) < 9:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body; an empty one for anything else, since networks also answer with HTML."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
