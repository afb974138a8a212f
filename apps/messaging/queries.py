"""What doors and campaigns ask of the ledger."""

from __future__ import annotations

from dataclasses import fields

from django.db.models import Count, OuterRef, Q, Subquery, Sum

from apps.audience.models import Subscriber
from apps.messaging.models import Chunk, Delivery, Message
from apps.messaging.states import Counts, DeliveryState
from apps.tenants.models import TenantQuerySet

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
        .values_list("message_id")
        .annotate(**{f"all_{name}": Sum(name) for name in _KEPT})
    )
    found = {message_id: Counts(*sums) for message_id, *sums in rows}
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
    return rows.filter(message=message, **given).annotate(external_id=Subquery(name_of))
