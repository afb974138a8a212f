"""What a variant of a message has instead of the message's own words and routes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from apps.messaging.models import Message
from apps.messaging.sending.strategies import first_routes

#: How long a chunk waits, again and again, for the variant that its people get.
UNDECIDED_WAIT = timedelta(seconds=15)


def content_of_variant(message: Message, variant: str) -> Any:
    return message.variants.get(variant, {}).get("content") or message.content


def routes_of_variant(message: Message, variant: str) -> list[str]:
    routes: list[str] = message.variants.get(variant, {}).get("routes") or message.routes
    return routes


def first_route_of_variant(message: Message, variant: str) -> str:
    """The one by which its people are counted: each of them is planned on it once."""
    return first_routes(message.strategy, routes_of_variant(message, variant))[0]
