"""What doors and campaigns ask of the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

from django.db.models import Count, OuterRef, Q, Subquery, Sum

from apps.audience.models import Subscriber
from apps.messaging.ledger.results import Dimension, counts_by
from apps.messaging.ledger.states import Counts, DeliveryState
from apps.messaging.models import Chunk, Delivery, Message, Receipt, ReceiptTally
from apps.tenants.models import TenantQuerySet

_KEPT = ("planned", "suppressed", "attempted", "accepted", "failed", "unknown")


def counts_of(message: Message) -> Counts:
    """The kept counts: a sum over chunks, cheap at any size and exact whenever nothing is in flight."""
    return counts_of_all([message])[message.pk]


def counts_of_all(messages: list[Message]) -> dict[int, Counts]:
    """By message row number, in two queries. The messages belong to one tenant."""
    if not messages:
        return {}
    rows = (
        Chunk.objects.of(messages[0].tenant_id)
        .filter(message__in=messages)
        .order_by()
        .values_list("message_id")
        .annotate(**{f"all_{name}": Sum(name) for name in _KEPT})
    )
    kept = {message_id: Counts(*sums) for message_id, *sums in rows}
    tallied = _tallies_of(messages)
    return {message.pk: replace(kept.get(message.pk, Counts()), **tallied[message.pk]) for message in messages}


def _tallies_of(messages: list[Message]) -> dict[int, dict[str, Any]]:
    """By message row number: the part of its Counts that comes from receipts."""
    rows = (
        ReceiptTally.objects.of(messages[0].tenant_id)
        .filter(message__in=messages)
        .order_by()
        .values_list("message_id", "kind", "currency")
        .annotate(quantity_sum=Sum("quantity"), amount_sum=Sum("amount"))
    )
    return _as_counts([message.pk for message in messages], rows)


def _as_counts(message_ids: Iterable[int], rows: Iterable[tuple[Any, ...]]) -> dict[int, dict[str, Any]]:
    """rows: message, kind, currency, how many, how much."""
    counts: dict[int, dict[str, Any]] = {message_id: {"revenue": {}} for message_id in message_ids}
    for message_id, kind, currency, quantity, amount in rows:
        of_message = counts[message_id]
        of_message[kind] = of_message.get(kind, 0) + int(quantity)
        if currency:
            of_message["revenue"][currency] = amount
    return counts


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
    receipts = (
        Receipt.objects.of(message.tenant_id)
        .filter(message=message)
        .order_by()
        .values_list("message_id", "kind", "currency")
        .annotate(quantity_sum=Count("delivery_id"), amount_sum=Sum("amount"))
    )
    return Counts(**counted, **_as_counts([message.pk], receipts)[message.pk])


def differences(message: Message) -> dict[str, tuple[int, int]]:
    """Name -> (kept, counted) where the kept counts, or their sums by hour, and the ledger disagree. Empty is right."""
    kept, counted = counts_of(message), ledger_counts(message)
    by_hour = list(counts_by([message], Dimension.HOUR).values())
    pairs = {field.name: (getattr(kept, field.name), getattr(counted, field.name)) for field in fields(Counts)}
    for name in (*_KEPT, "received", "opened", "clicked", "dismissed", "converted"):
        pairs[f"by_hour.{name}"] = sum(getattr(of_hour, name) for of_hour in by_hour), getattr(counted, name)
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def filtered_deliveries(
    message: Message | None, tenant_id: int, *, state: str = "", reason: str = "", external_id: str = ""
) -> TenantQuerySet[Delivery]:
    """The message's ledger rows with their subscriber's `external_id` (None once erased); none without a message."""
    rows = Delivery.objects.of(tenant_id)
    if message is None:
        return rows.none()
    people = Subscriber.objects.of(tenant_id).filter(application=message.application_id)
    if external_id:
        named = people.filter(external_id=external_id).values_list("pk", flat=True).first()
        rows = rows.filter(subscriber=named or 0)
    given = {name: value for name, value in (("state", state), ("reason", reason)) if value}
    name_of = people.filter(pk=OuterRef("subscriber_id")).values("external_id")
    return rows.filter(message=message, **given).select_related("chunk").annotate(external_id=Subquery(name_of))


def people_with_receipts(message: Message, subscribers: Iterable[int]) -> set[int]:
    """Of these (row numbers), those who have reported a receipt of the message, by whatever route it reached them."""
    reached = Receipt.objects.of(message.tenant_id).filter(message=message, subscriber__in=list(subscribers))
    return set(reached.values_list("subscriber_id", flat=True))


def receipts_of(person: Subscriber) -> TenantQuerySet[Receipt]:
    """What the person's devices reported, newest first, each with its message."""
    return Receipt.objects.of(person.tenant_id).filter(subscriber=person).select_related("message").order_by("-at")
