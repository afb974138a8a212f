"""The ledger of messages as a file: everybody and every route, page by page, nothing held over a yield.

Pages go along the index that makes a delivery unique, so a page of a million rows costs what a page of ten does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import OuterRef, Q, Subquery

from apps.audience.models import Subscriber
from apps.core.downloads import BYTE_ORDER_MARK, csv_text
from apps.messaging.models import Delivery, Message, Receipt
from apps.messaging.receipts.meaning import Kind
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope

_PAGE = 1_000
_COLUMNS = (
    "message_id", "external_id", "delivery_id", "variant", "route", "state", "reason", "due_at", "attempts",
    "attempted_at", "recorded_at", *(f"{kind}_at" for kind in Kind), "amount", "currency",
)  # fmt: skip


def exported_deliveries(*, tenant: Tenant, messages: Sequence[Message]) -> Iterator[str]:
    """CSV, with when each receipt came. Times are in UTC. Opens the tenant's scope itself, once a page."""
    yield BYTE_ORDER_MARK + csv_text([_COLUMNS])
    for message in messages:
        after: tuple[int, str] = (0, "")
        while page := _page(tenant, message, after):
            yield csv_text(page.values())
            after = list(page)[-1]


def _page(tenant: Tenant, message: Message, after: tuple[int, str]) -> dict[tuple[int, str], list[Any]]:
    """(subscriber, route) -> row, in the index's order."""
    subscriber, route = after
    with tenant_scope(tenant):
        name = Subscriber.objects.of(tenant).filter(pk=OuterRef("subscriber_id")).values("external_id")
        rows = list(
            Delivery.objects.of(tenant)
            .filter(message=message, subscriber__gte=subscriber)
            .filter(Q(subscriber__gt=subscriber) | Q(route__gt=route))
            .order_by("subscriber_id", "route")
            .select_related("chunk")
            .annotate(external_id=Subquery(name))[:_PAGE]
        )
        receipts: dict[int, dict[str, Receipt]] = defaultdict(dict)
        for receipt in Receipt.objects.of(tenant).filter(delivery__in=rows):
            receipts[receipt.delivery_id][receipt.kind] = receipt
    return {(row.subscriber_id, row.route): _row(message, row, receipts.get(row.pk, {})) for row in rows}


def _row(message: Message, row: Any, receipts: dict[str, Receipt]) -> list[Any]:
    converted = receipts.get(Kind.CONVERTED.value)
    worth = [str(converted.amount), converted.currency] if converted and converted.amount is not None else ["", ""]
    return [
        message.public_id, row.external_id or "", row.public_id, row.chunk.variant, row.route, row.state, row.reason,
        _at(row.chunk.due_at), row.attempts, _at(row.attempted_at), _at(row.recorded_at),
        *(_at(receipts[kind].at) if kind in receipts else "" for kind in map(str, Kind)), *worth,
    ]  # fmt: skip


def _at(moment: Any) -> str:
    return moment.isoformat() if moment else ""
