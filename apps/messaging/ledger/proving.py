"""A receipt is proof: a delivery of which nobody knew whether it left was accepted, is counted and billed as such."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from django.db import connection
from django.db.models import F

from apps.billing.meters import CAMPAIGN_SENDS
from apps.billing.records import UsageRecordIn
from apps.billing.services import record_usage
from apps.core import clock
from apps.messaging.ledger.states import DeliveryState
from apps.messaging.ledger.tallies import Tally
from apps.messaging.models import Chunk, Message

# Held in one order, because two batches of receipts may be about the same deliveries.
_ACCEPT = """
WITH proven AS MATERIALIZED (
    SELECT delivery.id, delivery.reason, coalesce(delivery.recorded_at, clock_timestamp()) AS recorded_at
    FROM messaging_delivery delivery
    WHERE delivery.tenant_id = %(tenant)s AND delivery.id = ANY(%(ids)s) AND delivery.state = %(before)s
      AND EXISTS (SELECT FROM messaging_receipt receipt
                  WHERE receipt.tenant_id = delivery.tenant_id AND receipt.delivery_id = delivery.id)
    ORDER BY delivery.id FOR NO KEY UPDATE
)
UPDATE messaging_delivery delivery SET state = 'accepted', reason = '', recorded_at = clock_timestamp()
FROM proven WHERE delivery.tenant_id = %(tenant)s AND delivery.id = proven.id
RETURNING delivery.id, delivery.message_id, delivery.chunk_id, delivery.route, proven.reason, proven.recorded_at,
    (SELECT variant FROM messaging_chunk chunk WHERE chunk.id = delivery.chunk_id),
    coalesce((SELECT language FROM audience_subscriber person WHERE person.id = delivery.subscriber_id), '')
"""


class Proven(NamedTuple):
    """A delivery that was accepted after all. reason, recorded_at: of the outcome it had."""

    delivery_id: int
    message_id: int
    chunk_id: int
    route: str
    reason: str
    recorded_at: datetime
    variant: str
    language: str


def accept_proven(tenant_id: int, ids: Collection[int], *, before: DeliveryState) -> int:
    """Of these deliveries (row numbers), those in the state `before` of which there is a receipt; answers how many.

    before: UNKNOWN, or ATTEMPTED when whoever attempted them is known to be dead.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ACCEPT, {"tenant": tenant_id, "ids": list(ids), "before": before.value})
        rows = [Proven(*row) for row in cursor.fetchall()]
    was_counted = before is DeliveryState.UNKNOWN
    for chunk_id, count in sorted(Counter(row.chunk_id for row in rows).items()):
        Chunk.objects.of(tenant_id).filter(pk=chunk_id).update(
            accepted=F("accepted") + count, unknown=F("unknown") - (count if was_counted else 0), is_metered=False
        )
    _tally(tenant_id, rows, was_counted=was_counted)
    _charge(tenant_id, rows)
    return len(rows)


def _tally(tenant_id: int, rows: Sequence[Proven], *, was_counted: bool) -> None:
    """Takes them out of the unknown, in the hour in which they were counted there."""
    tallies: dict[int, Tally] = {}
    for row in rows:
        tally = tallies.setdefault(row.message_id, Tally(tenant_id, row.message_id))
        told = partial(tally.add, languages=[row.language], route=row.route, variant=row.variant, at=row.recorded_at)
        told(DeliveryState.ACCEPTED.value)
        if was_counted:
            told(DeliveryState.UNKNOWN.value, reason=row.reason, times=-1)
    for tally in tallies.values():
        tally.write()


def _charge(tenant_id: int, rows: Sequence[Proven]) -> None:
    """A delivery is accepted once in its life, so its name is a usage record's."""
    by_route: dict[tuple[int, str], list[int]] = defaultdict(list)
    for row in rows:
        by_route[row.message_id, row.route].append(row.delivery_id)
    messages = Message.objects.of(tenant_id).select_related("tenant").in_bulk([message for message, _ in by_route])
    for (message_id, route), ids in sorted(by_route.items()):
        message = messages[message_id]
        dimensions = {"campaign": message.origin, "provider": route} if message.origin else {"provider": route}
        key = f"deliveries:{message_id}:{min(ids)}"
        record = UsageRecordIn(CAMPAIGN_SENDS, key, len(ids), clock.now(), message.application_id, dimensions)
        record_usage([record], tenant=message.tenant)
