"""What became of messages, by variant, route, language or hour: read from sums, never from the ledger's rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.db.models import Sum

from apps.messaging.content.languages import choose_language
from apps.messaging.content.variants import first_route_of_variant
from apps.messaging.ledger.states import Counts, DeliveryState
from apps.messaging.models import DeliveryTally, Message, ReceiptTally

_FAILED = {DeliveryState.REJECTED.value, DeliveryState.UNREGISTERED.value}
Key = str | datetime | None


class Dimension(StrEnum):
    VARIANT = "variant"
    ROUTE = "route"
    LANGUAGE = "language"
    HOUR = "hour"


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """state: suppressed, rejected, unregistered or unknown."""

    state: str
    reason: str
    quantity: int


def counts_by(messages: Sequence[Message], dimension: Dimension) -> dict[Key, Counts]:
    """The messages of one tenant together. language: of the words people got, not of their phones. hour: in which it
    happened; of what is planned, in which it is due; None: before hours were kept. Hours are in order."""
    if not messages:
        return {}
    named = _language_of(messages[-1]) if dimension is Dimension.LANGUAGE else lambda key: key
    cells: dict[Key, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    revenue: dict[Key, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for key, kind, quantity in _sums(DeliveryTally, messages, dimension.value, "kind"):
        cells[named(key)]["failed" if kind in _FAILED else kind] += quantity
    for key, kind, currency, quantity, amount in _sums(ReceiptTally, messages, dimension.value, "kind", "currency"):
        cells[named(key)][kind] += quantity
        if currency:
            revenue[named(key)][currency] += amount
    found = {key: Counts(**of_key, revenue=dict(revenue[key])) for key, of_key in cells.items()}
    return dict(sorted(found.items(), key=_order))


def counts_of_variants(message: Message) -> dict[str, Counts]:
    """Of people: what was planned or left out on a later route, after another had failed, is not counted again."""
    counts = {str(key): of_key for key, of_key in counts_by([message], Dimension.VARIANT).items()}
    addressed: dict[str, int] = defaultdict(int)
    first = {variant: first_route_of_variant(message, variant) for variant in message.variants}
    for variant, route, kind, quantity in _sums(DeliveryTally, [message], "variant", "route", "kind"):
        if route == first.get(variant, first_route_of_variant(message, "")) and kind in {"planned", "suppressed"}:
            addressed[variant] += quantity if kind == "planned" else -quantity
    return {
        variant: Counts(
            planned=addressed[variant], suppressed=of_variant.suppressed, received=of_variant.received,
            opened=of_variant.opened, clicked=of_variant.clicked, converted=of_variant.converted,
        )
        for variant, of_variant in counts.items()
    }  # fmt: skip


def reasons_among(messages: Sequence[Message]) -> list[ReasonCount]:
    """Of everything that did not go well, most frequent first."""
    if not messages:
        return []
    rows = _sums(DeliveryTally, messages, "kind", "reason")
    found = [ReasonCount(kind, reason, quantity) for kind, reason, quantity in rows if reason]
    return sorted(found, key=lambda row: (-row.quantity, row.state, row.reason))


def _sums(model: Any, messages: Sequence[Message], *keys: str) -> Iterable[tuple[Any, ...]]:
    sums = {"quantity_sum": Sum("quantity")} | ({"amount_sum": Sum("amount")} if "currency" in keys else {})
    rows: Iterable[tuple[Any, ...]] = (
        model.objects.of(messages[0].tenant_id)
        .filter(message__in=messages)
        .order_by()
        .values_list(*keys)
        .annotate(**sums)
    )
    return ((*row[: len(keys)], int(row[len(keys)]), *row[len(keys) + 1 :]) for row in rows)


def _language_of(message: Message) -> Callable[[Key], Key]:
    offered = tuple(message.content)

    def chosen(wanted: Key) -> Key:
        return choose_language(str(wanted), message.default_language, offered)

    return chosen


def _order(item: tuple[Key, Counts]) -> tuple[bool, Any]:
    key = item[0]
    return key is not None, key or ""
