"""Which buttons were pressed, from the receipts themselves: a few kinds of one message's clicks."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Count

from apps.messaging.models import Message, Receipt
from apps.messaging.receipts.meaning import Kind


def clicks_by_button(messages: Sequence[Message]) -> dict[str, int]:
    """People by the name of the button that they clicked first; the most pressed one first. Asks nothing where no
    message has buttons."""
    having = [message for message in messages if _has_buttons(message)]
    if not having:
        return {}
    clicks = Receipt.objects.of(having[0].tenant_id).filter(message__in=having, kind=Kind.CLICKED)
    pressed = clicks.exclude(button="").values_list("button").annotate(people=Count("*"))
    return dict(pressed.order_by("-people", "button"))


def _has_buttons(message: Message) -> bool:
    contents = [message.content, *(said.get("content") or {} for said in message.variants.values())]
    return any(words.get("buttons") for content in contents for words in (content or {}).values())
