"""What an app or a page finds in a push, the same on every network that carries JSON of ours."""

from __future__ import annotations

from typing import Any

from apps.providers.base import Push


def members_of(push: Push) -> dict[str, Any]:
    """JSON values (and a datetime, which orjson writes). `id` lets the receiver drop a repeat, and
    `receipt` is the token to report with (docs/receipts.md)."""
    shown = push.notification
    return {
        "id": push.id,
        "message_id": push.message_id,
        "campaign_id": push.campaign_id or None,
        "title": shown.title,
        "body": shown.body,
        "image_url": shown.image_url or None,
        "url": shown.url or None,
        "data": shown.data or {},
        "sent_at": push.sent_at,
        "receipt": push.receipt or None,
    }
