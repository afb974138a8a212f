"""How much people were sent lately, counted from the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from apps.tenants.models import Application

#: A delivery may be planned so long after its message was made.
_AHEAD = timedelta(days=32)

_SENDS = """
SELECT subscriber_id, array_agg(sent_at ORDER BY sent_at) FROM (
    SELECT delivery.subscriber_id, message.id, max(coalesce(delivery.attempted_at, chunk.due_at)) AS sent_at
    FROM messaging_message message
    JOIN messaging_delivery delivery ON delivery.tenant_id = message.tenant_id AND delivery.message_id = message.id
    JOIN messaging_chunk chunk ON chunk.id = delivery.chunk_id
    WHERE message.tenant_id = %(tenant)s AND message.application_id = %(application)s AND message.id <> %(but)s
      AND message.origin <> '' AND (%(category)s = '' OR message.category = %(category)s)
      AND message.created_at >= %(made_since)s AND delivery.subscriber_id BETWEEN %(low)s AND %(high)s
      AND delivery.subscriber_id = ANY(%(people)s)
      AND delivery.state IN ('planned', 'attempted', 'accepted', 'unknown')
      AND NOT (delivery.state = 'planned' AND message.state = 'cancelled')
    GROUP BY 1, 2
) AS sends
WHERE sent_at > %(since)s GROUP BY 1 HAVING count(*) >= %(least)s
"""


def sends_of(
    *, application: Application, people: Sequence[int], category: str, since: datetime, least: int, but: int = 0
) -> dict[int, tuple[datetime, ...]]:
    """Row number of each of these people with at least `least` campaign messages since then -> when those came or are
    planned to come, sorted. category: its key; empty for all messages. but: a message that does not count."""
    if not people:
        return {}
    values: dict[str, Any] = {
        "tenant": application.tenant_id, "application": application.pk, "but": but, "category": category,
        "made_since": since - _AHEAD, "since": since, "low": min(people), "high": max(people),
        "people": list(people), "least": least,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_SENDS, values)
        return {person: tuple(sent) for person, sent in cursor.fetchall()}


def hold_frequency(application: Application) -> None:
    """Until the commit nobody else plans under a cap in this application: two at once see each other's rows."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"frequency:{application.pk}"])
