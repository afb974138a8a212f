"""Conversions out of behaviour events: which message an event is owed to. A tick, in steps that may be repeated.

The rule: an event converts when a message asked for events of its name, and the person received that message within the
message's window before the event. Of several such messages it is owed to the one opened (or clicked) last; when none
was opened, to the one received last. The first event owed to a delivery counts, others change nothing, and no event
counts for two deliveries. It is the event's own time that counts, however late it was told.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from apps.audience.events import OLDEST
from apps.core import clock
from apps.messaging.models import ConversionCursor
from apps.messaging.receipts.following import WINDOW_MOST
from apps.messaging.receipts.meaning import Kind, ReceiptIn, rounded_amount
from apps.messaging.services.receipts import MAX_RECEIPTS, record_receipts
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope

log = logging.getLogger(__name__)

#: An event is seen only after the transaction that told it; nobody takes longer than this to commit one.
LAG = timedelta(minutes=1)
#: An event that is told later than this is found by the index on late ones.
_LATE = timedelta(days=1)
#: A message may go out for a month before its window begins, and what happened in it may be told late.
_WATCHED = timedelta(seconds=WINDOW_MOST) + timedelta(days=31) + OLDEST
_EVENTS = 20_000

_APPLICATIONS = """
SELECT DISTINCT tenant_id, application_id FROM messaging_message
WHERE follow_up ? 'conversion' AND created_at > %s ORDER BY tenant_id, application_id
"""

# Both halves read an index: the first the newest of a name, the second the few that were told late (event_told_late).
_TOLD = """
    SELECT subscriber_id, event_id, name, occurred_at, received_at, properties FROM audience_event
    WHERE tenant_id = %(tenant)s AND application_id = %(application)s AND name = ANY(%(names)s)
        AND occurred_at > %(oldest)s AND received_at > %(since)s AND received_at <= %(until)s
    UNION ALL
    SELECT subscriber_id, event_id, name, occurred_at, received_at, properties FROM audience_event
    WHERE tenant_id = %(tenant)s AND application_id = %(application)s AND name = ANY(%(names)s)
        AND occurred_at <= %(oldest)s AND occurred_at > %(watched)s
        AND received_at - occurred_at >= interval '24 hours'
        AND received_at > %(since)s AND received_at <= %(until)s
"""

_BOUND = f"""
SELECT received_at FROM ({_TOLD}) AS told ORDER BY received_at OFFSET %(events)s LIMIT 1
"""  # noqa: S608  # our own text

_OWED = f"""
WITH asking AS (
    SELECT id, follow_up -> 'conversion' ->> 'event' AS name, follow_up -> 'conversion' ->> 'amount' AS amount,
        coalesce(follow_up -> 'conversion' ->> 'currency', '') AS currency,
        make_interval(secs => (follow_up -> 'conversion' ->> 'window')::int) AS window
    FROM messaging_message WHERE tenant_id = %(tenant)s AND application_id = %(application)s
        AND follow_up ? 'conversion' AND created_at > %(watched)s
), happened AS ({_TOLD}), owed AS (
    SELECT DISTINCT ON (happened.event_id) happened.event_id, happened.occurred_at, receipt.delivery_id,
        happened.properties -> asking.amount AS amount, asking.currency
    FROM happened
    JOIN messaging_receipt receipt ON receipt.tenant_id = %(tenant)s AND receipt.subscriber_id = happened.subscriber_id
        AND receipt.at <= happened.occurred_at AND receipt.kind IN ('received', 'opened', 'clicked')
    JOIN asking ON asking.id = receipt.message_id AND asking.name = happened.name
        AND receipt.at > happened.occurred_at - asking.window
    ORDER BY happened.event_id, receipt.kind = 'received', receipt.at DESC, receipt.delivery_id DESC
)
SELECT event_id, occurred_at, delivery_id, amount #>> '{{}}', currency FROM owed ORDER BY occurred_at, event_id
"""  # noqa: S608  # our own text

# Of people held out of an experiment: what they do within the window of the message they would have got. No other
# message takes it from them, so a campaign is never made to look better than it is.
_HELD_OUT = f"""
WITH asking AS (
    SELECT id, follow_up -> 'conversion' ->> 'event' AS name, follow_up -> 'conversion' ->> 'amount' AS amount,
        coalesce(follow_up -> 'conversion' ->> 'currency', '') AS currency,
        make_interval(secs => (follow_up -> 'conversion' ->> 'window')::int) AS window
    FROM messaging_message WHERE tenant_id = %(tenant)s AND application_id = %(application)s
        AND follow_up ? 'conversion' AND variants ? 'holdout' AND created_at > %(watched)s
), happened AS ({_TOLD})
SELECT event.occurred_at, delivery.id, event.properties ->> asking.amount, asking.currency
FROM asking JOIN happened event ON event.name = asking.name
JOIN messaging_delivery delivery ON delivery.tenant_id = %(tenant)s AND delivery.message_id = asking.id
    AND delivery.subscriber_id = event.subscriber_id AND delivery.reason = 'holdout'
JOIN messaging_chunk chunk ON chunk.id = delivery.chunk_id
    AND chunk.due_at <= event.occurred_at AND chunk.due_at > event.occurred_at - asking.window
ORDER BY event.occurred_at, delivery.id
"""  # noqa: S608  # our own text

_NAMES = """
SELECT DISTINCT follow_up -> 'conversion' ->> 'event' FROM messaging_message
WHERE tenant_id = %(tenant)s AND application_id = %(application)s AND follow_up ? 'conversion'
    AND created_at > %(watched)s
"""


def attribute_conversions() -> int:
    """Looks at the events that came since the last time. Answers how many conversions are new. Opens its own scopes."""
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        cursor.execute(_APPLICATIONS, [clock.now() - _WATCHED])
        applications = cursor.fetchall()
    return sum(_attribute(tenant_id, application_id) for tenant_id, application_id in applications)


def _attribute(tenant_id: int, application_id: int) -> int:
    """The cursor moves in the transaction that records what stands before it."""
    now = clock.now()
    until = now - LAG
    with tenant_scope(tenant_id):
        place: dict[str, Any] = {"tenant_id": tenant_id, "application_id": application_id}
        ConversionCursor.objects.bulk_create(
            [ConversionCursor(**place, read_until=until - _LATE)], ignore_conflicts=True
        )
        cursors = ConversionCursor.objects.of(tenant_id).filter(application_id=application_id)
        held = cursors.select_for_update(skip_locked=True, no_key=True).first()
        if held is None or held.read_until >= until:
            return 0
        asked = {
            "tenant": tenant_id, "application": application_id, "since": held.read_until, "until": until,
            "oldest": held.read_until - _LATE, "watched": now - _WATCHED, "events": _EVENTS,
        }  # fmt: skip
        receipts, until = _owed(asked)
        recorded = _record(tenant_id, receipts)
        cursors.update(read_until=until)
    return recorded


def _owed(asked: dict[str, Any]) -> tuple[list[ReceiptIn], datetime]:
    """What is owed by the events of this step, and up to when events were looked at."""
    with connection.cursor() as cursor:
        cursor.execute(_NAMES, asked)
        asked["names"] = [name for (name,) in cursor.fetchall()]
        cursor.execute(_BOUND, asked)
        bound = cursor.fetchone()
        if bound is not None:
            asked["until"] = bound[0]
        cursor.execute(_OWED, asked)
        owed = [_receipt(asked["application"], row) for row in cursor.fetchall()]
        cursor.execute(_HELD_OUT, asked)
        owed += [_receipt_of_held_out(row) for row in cursor.fetchall()]
    return owed, asked["until"]


def _receipt_of_held_out(row: tuple[Any, ...]) -> ReceiptIn:
    occurred_at, delivery_id, worth, currency = row
    amount = rounded_amount(worth) if currency else None
    return ReceiptIn(delivery_id, Kind.CONVERTED, occurred_at, amount, currency if amount else "", implies=False)


def _receipt(application_id: int, row: tuple[Any, ...]) -> ReceiptIn:
    event_id, occurred_at, delivery_id, worth, currency = row
    amount = rounded_amount(worth) if currency else None
    return ReceiptIn(
        delivery_id, Kind.CONVERTED, occurred_at, amount, currency if amount else "", _source(application_id, event_id)
    )


def _source(application_id: int, event_id: str) -> str:
    """A hash: an event's id may be an order's number, and must not outlive its person here."""
    name = f"{application_id}:{event_id}".encode()
    return hashlib.blake2b(name, digest_size=16, key=settings.ID_KEY).hexdigest()


def _record(tenant_id: int, receipts: Sequence[ReceiptIn]) -> int:
    recorded = 0
    for start in range(0, len(receipts), MAX_RECEIPTS):
        results = record_receipts(tenant_id=tenant_id, receipts=receipts[start : start + MAX_RECEIPTS])
        recorded += sum(result.status == "recorded" for result in results)
    return recorded
