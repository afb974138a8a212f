"""What an app or a page finds in a push, the same on every network that carries JSON of ours."""

from __future__ import annotations

from typing import Any

from apps.providers.base import Notification, Push


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
        "data": data_of(shown),
        "sent_at": push.sent_at,
        "receipt": push.receipt or None,
    }


def data_of(shown: Notification) -> dict[str, Any]:
    """With the buttons as `actions`: each with `action`, `title` and `url` (None where the app decides)."""
    data = shown.data or {}
    if not shown.buttons:
        return data
    actions = [{"action": one.action, "title": one.title, "url": one.url or None} for one in shown.buttons]
    return {**data, "actions": actions}


def category_of(shown: Notification) -> str:
    """What Apple knows the buttons by: an app registers a category of this name with these actions. Empty: none."""
    return "-".join(button.action for button in shown.buttons)
