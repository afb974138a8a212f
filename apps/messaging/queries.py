"""What doors and campaigns ask of the ledger."""

from __future__ import annotations

from dataclasses import fields

from django.db.models import Count, Q, Sum

from apps.messaging.models import Chunk, Delivery, Message
from apps.messaging.states import Counts, DeliveryState

_KEPT = ("planned", "suppressed", "attempted", "accepted", "failed", "unknown")


def counts_of(message: Message) -> Counts:
    """The kept counts: a sum over chunks, cheap at any size and exact whenever nothing is in flight."""
    return counts_of_all([message])[message.pk]


def counts_of_all(messages: list[Message]) -> dict[int, Counts]:
    """By message row number, in one query. The messages belong to one tenant."""
    if not messages:
        return {}
    rows = (
        Chunk.objects.of(messages[0].tenant_id)
        .filter(message__in=messages)
        .order_by()
        .values("message_id")
        .annotate(**{f"all_{name}": Sum(name) for name in _KEPT})
    )
    found = {row["message_id"]: Counts(**{name: row[f"all_{name}"] for name in _KEPT}) for row in rows}
    return {message.pk: found.get(message.pk, Counts()) for message in messages}


def ledger_counts(message: Message) -> Counts:
    """The same figures counted from the rows themselves: slow, and what the kept ones must equal at the end."""
    in_state = {
        "suppressed": Q(state=DeliveryState.SUPPRESSED),
        "attempted": Q(attempts__gt=0),
        "accepted": Q(state=DeliveryState.ACCEPTED),
        "failed": Q(state__in=[DeliveryState.REJECTED, DeliveryState.UNREGISTERED]),
        "unknown": Q(state=DeliveryState.UNKNOWN),
    }
    counted = (
        Delivery.objects.of(message.tenant_id)
        .filter(message=message)
        .aggregate(planned=Count("id"), **{name: Count("id", filter=rule) for name, rule in in_state.items()})
    )
    return Counts(**counted)


def reasons_of(message: Message) -> list[tuple[str, str, int]]:
    """(state, reason, rows) of everything that did not go well, most frequent first."""
    return list(
        Delivery.objects.of(message.tenant_id)
        .filter(message=message)
        .exclude(reason="")
        .order_by()
        .values_list("state", "reason")
        .annotate(rows=Count("id"))
        .order_by("-rows")
    )


def differences(message: Message) -> dict[str, tuple[int, int]]:
    """Name -> (kept, counted) where the kept counts and the ledger disagree. Empty is right."""
    kept, counted = counts_of(message), ledger_counts(message)
    pairs = {field.name: (getattr(kept, field.name), getattr(counted, field.name)) for field in fields(Counts)}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
