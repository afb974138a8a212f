"""Taking receipts in. A receipt counts once, however often and by whomever it is reported."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from apps.core import clock, ids
from apps.messaging.errors import TooManyReceipts
from apps.messaging.ledger.proving import accept_proven
from apps.messaging.ledger.states import DeliveryState
from apps.messaging.models import Delivery
from apps.messaging.receipts.meaning import IMPLIED, Kind, ReceiptIn, ReceiptProblem, read_receipt
from apps.messaging.receipts.tokens import Sent, read_token
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope

MAX_RECEIPTS = 1_000

# One statement, so that receipts and their sums are never apart. The lock on the people makes an erasure wait for us or
# us for the erasure: then nobody is found any more. The deliveries are looked up first, by themselves: right after a
# large send the planner believes their table empty, and once searched all of it for each person of the application.
_RECORD = """
WITH told AS (
    SELECT * FROM unnest(
        %(deliveries)s::bigint[], %(kinds)s::text[], %(instants)s::timestamptz[], %(amounts)s::numeric[],
        %(currencies)s::text[], %(sources)s::text[], %(buttons)s::text[]
    ) AS told (delivery_id, kind, at, amount, currency, source, button)
), named AS MATERIALIZED (
    SELECT id, message_id, subscriber_id, state, route, chunk_id FROM messaging_delivery
    WHERE tenant_id = %(tenant)s AND id = ANY(%(deliveries)s)
), sent AS MATERIALIZED (
    SELECT delivery.id, delivery.message_id, delivery.subscriber_id, delivery.state, delivery.route, chunk.variant,
        person.language
    FROM named delivery JOIN audience_subscriber person ON person.id = delivery.subscriber_id
        JOIN messaging_chunk chunk ON chunk.id = delivery.chunk_id
    WHERE person.tenant_id = %(tenant)s AND (%(application)s::bigint IS NULL OR person.application_id = %(application)s)
    ORDER BY person.id FOR KEY SHARE OF person
), fresh AS (
    INSERT INTO messaging_receipt
        (tenant_id, delivery_id, kind, message_id, subscriber_id, at, amount, currency, source, button)
    SELECT %(tenant)s, told.delivery_id, told.kind, sent.message_id, sent.subscriber_id, told.at, told.amount,
        told.currency, told.source, told.button
    FROM told JOIN sent ON sent.id = told.delivery_id ORDER BY told.delivery_id, told.kind
    ON CONFLICT DO NOTHING
    RETURNING delivery_id, kind, message_id, at, amount, currency
), counted AS (
    INSERT INTO messaging_receipttally
        (tenant_id, message_id, kind, currency, variant, route, language, hour, quantity, amount)
    SELECT %(tenant)s, fresh.message_id, kind, currency, variant, route, language, date_trunc('hour', at), count(*),
        coalesce(sum(amount), 0)
    FROM fresh JOIN sent ON sent.id = fresh.delivery_id GROUP BY 2, 3, 4, 5, 6, 7, 8
)
SELECT id, '', state FROM sent UNION ALL SELECT delivery_id, kind, '' FROM fresh
"""


@dataclass(frozen=True, slots=True)
class ReceiptResult:
    """What became of one receipt of a batch, in the order of the batch. status: recorded, duplicate or rejected."""

    status: str
    problem: ReceiptProblem | None = None


def record_receipts(
    *, tenant_id: int, receipts: Sequence[ReceiptIn], application: Application | None = None
) -> list[ReceiptResult]:
    """Records what is new, with what it implies. What belongs to somebody else is as unknown as nobody's.

    The same receipt again is a duplicate, and so is another one of its kind for the delivery. Late ones about a person
    who has been erased are rejected. Raises TooManyReceipts above 1,000.
    """
    if len(receipts) > MAX_RECEIPTS:
        raise TooManyReceipts(details={"limit": MAX_RECEIPTS, "given": len(receipts)})
    if not receipts:
        return []
    first = _first_of_each(receipts)
    owner = {"tenant": tenant_id, "application": application.pk if application else None}
    with connection.cursor() as cursor:
        cursor.execute(_RECORD, owner | _columns(first.values()))
        rows = cursor.fetchall()
    known = {delivery_id for delivery_id, kind, _state in rows if not kind}
    fresh = {(delivery_id, kind) for delivery_id, kind, _state in rows if kind}
    if unknown := [delivery_id for delivery_id, _kind, state in rows if state == DeliveryState.UNKNOWN]:
        accept_proven(tenant_id, unknown, before=DeliveryState.UNKNOWN)
    return [_result(receipt, known, fresh, first) for receipt in receipts]


def _first_of_each(receipts: Iterable[ReceiptIn]) -> dict[tuple[int, Kind], ReceiptIn]:
    """Without repeats, and with what is implied: what somebody told goes before what follows from something else."""
    first: dict[tuple[int, Kind], ReceiptIn] = {}
    for receipt in receipts:
        first.setdefault((receipt.delivery_id, receipt.kind), receipt)
    for receipt in list(first.values()):
        for kind in IMPLIED[receipt.kind] if receipt.implies else ():
            first.setdefault((receipt.delivery_id, kind), ReceiptIn(receipt.delivery_id, kind, receipt.at))
    return first


def _columns(receipts: Iterable[ReceiptIn]) -> dict[str, Any]:
    rows = list(receipts)
    return {
        "deliveries": [row.delivery_id for row in rows],
        "kinds": [row.kind.value for row in rows],
        "instants": [row.at for row in rows],
        "amounts": [row.amount for row in rows],
        "currencies": [row.currency for row in rows],
        "sources": [row.source for row in rows],
        "buttons": [row.button for row in rows],
    }


def _result(
    receipt: ReceiptIn, known: set[int], fresh: set[tuple[int, str]], first: dict[tuple[int, Kind], ReceiptIn]
) -> ReceiptResult:
    key = (receipt.delivery_id, receipt.kind)
    if receipt.delivery_id not in known:
        return ReceiptResult("rejected", ReceiptProblem("delivery_unknown"))
    return ReceiptResult("recorded" if key in fresh and first[key] is receipt else "duplicate")


def record_reports(*, application: Application, reports: Sequence[object]) -> list[ReceiptResult]:
    """Receipts as a tenant's own server tells them: JSON objects with a `token` or the `delivery_id` of the ledger.

    A bad one does not stop the others. Raises TooManyReceipts.
    """
    named = [(report, _named_in(report, application.tenant_id)) for report in reports]
    return _record(application.tenant_id, named, application)


def record_signed_reports(*, reports: Sequence[object]) -> list[ReceiptResult]:
    """Receipts as clients tell them, who prove themselves by the token alone. Opens a scope for each tenant in them.

    Raises TooManyReceipts.
    """
    named = [(report, _signed_for(report)) for report in reports]
    results = [ReceiptResult("rejected", ReceiptProblem("token_invalid", "token"))] * len(reports)
    by_tenant: dict[int, list[int]] = defaultdict(list)
    for position, (_report, sent) in enumerate(named):
        if sent is not None:
            by_tenant[sent.tenant_id].append(position)
    for tenant_id, positions in sorted(by_tenant.items()):
        with tenant_scope(tenant_id):
            recorded = _record(tenant_id, [named[position] for position in positions])
        for position, result in zip(positions, recorded, strict=True):
            results[position] = result
    return results


def _record(
    tenant_id: int, named: Sequence[tuple[object, Sent | None]], application: Application | None = None
) -> list[ReceiptResult]:
    """Each report with the delivery it names, or None when it names none."""
    now = clock.now()
    readings = [_read(report, sent, tenant_id, now) for report, sent in named]
    good = [reading for reading in readings if isinstance(reading, ReceiptIn)]
    recorded = iter(record_receipts(tenant_id=tenant_id, receipts=good, application=application))
    return [
        next(recorded) if isinstance(reading, ReceiptIn) else ReceiptResult("rejected", reading) for reading in readings
    ]


def _read(report: object, sent: Sent | None, tenant_id: int, now: datetime) -> ReceiptIn | ReceiptProblem:
    if not isinstance(report, dict):
        return ReceiptProblem("not_an_object")
    if sent is None or sent.tenant_id != tenant_id:
        return ReceiptProblem("token_invalid", "token") if "token" in report else ReceiptProblem("delivery_unknown")
    try:
        return read_receipt(report, delivery_id=sent.delivery_id, now=now)
    except ReceiptProblem as problem:
        return problem


def _signed_for(report: object) -> Sent | None:
    return read_token(report.get("token")) if isinstance(report, dict) and "delivery_id" not in report else None


def _named_in(report: object, tenant_id: int) -> Sent | None:
    if not isinstance(report, dict):
        return None
    if "token" in report:
        return read_token(report["token"])
    number = ids.decode(Delivery.public_id_prefix, str(report.get("delivery_id", "")))
    return Sent(tenant_id, number) if number is not None else None
