"""Template filters of campaigns."""

from __future__ import annotations

from typing import Any

from django import template

from apps.messaging.ledger import reasons

register = template.Library()


@register.filter
def reason_name(reason: str) -> Any:
    """Why somebody did not get it, in people's words."""
    return reasons.reason_name(reason)
