"""What messaging holds about one person, for the person who asks; `apps.audience.services.disclosure` has the rest."""

from __future__ import annotations

from typing import Any

from apps.audience.models import Subscriber
from apps.messaging.models import InboxItem, Message, Receipt

#: Of each kind, the newest.
MOST = 10_000


def held_about(person: Subscriber) -> dict[str, list[dict[str, Any]]]:
    """Plain values: `receipts` and `inbox`, archived and recalled items too."""
    receipts = Receipt.objects.of(person.tenant_id).filter(subscriber=person).order_by("-at")
    items = InboxItem.objects.of(person.tenant_id).filter(subscriber=person).order_by("-pk")
    return {
        "receipts": [_receipt(receipt) for receipt in receipts[:MOST]],
        "inbox": [_item(item) for item in items[:MOST]],
    }


def _receipt(receipt: Receipt) -> dict[str, Any]:
    named = ("kind", "button", "at", "amount", "currency")
    return {"message_id": Message(pk=receipt.message_id).public_id, **{name: getattr(receipt, name) for name in named}}


def _item(item: InboxItem) -> dict[str, Any]:
    named = ("title", "body", "image_url", "url", "data", "created_at", "expires_at", "read_at", "archived_at")
    return {"id": item.public_id, **{name: getattr(item, name) for name in named}}
