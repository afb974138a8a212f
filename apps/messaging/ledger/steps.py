"""The ledger's SQL: plan, mark, record. Each function is one step inside the caller's transaction.

The database clock alone decides leases (`clock_timestamp()`: `now()` stands still in a transaction). Every write of a
worker names its fence; LeaseLost rolls back whatever a worker does that was too slow.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from apps.core import clock
from apps.messaging.ledger.states import Reason, UnknownPolicy
from apps.messaging.ledger.tallies import Tally
from apps.messaging.models import Chunk

#: How often a delivery is handed to a network at most, whatever happens.
MAX_ATTEMPTS = 5

_PLAN = """
INSERT INTO messaging_delivery
    (tenant_id, message_id, chunk_id, subscriber_id, route, state, reason, attempts)
SELECT %(tenant)s, %(message)s, %(chunk)s, subscriber_id, %(route)s, %(state)s, %(reason)s, 0
FROM unnest(%(subscribers)s::bigint[]) AS planned (subscriber_id)
ON CONFLICT DO NOTHING
"""

_PLAN_SELECTED = """
INSERT INTO messaging_delivery
    (tenant_id, message_id, chunk_id, subscriber_id, route, state, reason, attempts)
SELECT %(tenant)s, %(message)s,
    (%(chunks)s::bigint[])[(%(firsts)s::int[])[verdict + 1] + CASE WHEN reason = '' THEN place / %(size)s ELSE 0 END],
    subscriber_id, %(route)s, CASE WHEN reason = '' THEN 'planned' ELSE 'suppressed' END, reason, 0
FROM (
    SELECT subscriber_id, verdict, row_number() OVER ({alike}) - 1 AS place,
        (%(reasons)s::text[])[verdict + 1] AS reason
    FROM ({source}) AS source
) AS placed
ORDER BY subscriber_id
"""

_MARK = """
UPDATE messaging_delivery SET state = 'attempted', attempts = attempts + 1, attempted_at = clock_timestamp()
WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s) AND chunk_id = %(chunk)s AND state = 'planned'
"""

_SETTLE = """
UPDATE messaging_delivery SET state = %(state)s, reason = %(reason)s, recorded_at = clock_timestamp()
WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s) AND chunk_id = %(chunk)s AND state = ANY(%(before)s)
"""

_ABANDONED = """
UPDATE messaging_delivery
SET state = CASE WHEN %(again)s AND attempts < %(most)s THEN 'planned' ELSE 'unknown' END,
    recorded_at = clock_timestamp()
WHERE tenant_id = %(tenant)s AND chunk_id = %(chunk)s AND state = 'attempted'
RETURNING state, route, (SELECT language FROM audience_subscriber person WHERE person.id = subscriber_id)
"""

_CANCEL = """
UPDATE messaging_delivery SET state = 'suppressed', reason = %(reason)s, recorded_at = clock_timestamp()
WHERE tenant_id = %(tenant)s AND chunk_id = %(chunk)s AND state = 'planned'
RETURNING state, route, (SELECT language FROM audience_subscriber person WHERE person.id = subscriber_id)
"""


_MOVE = """
UPDATE messaging_delivery SET state = 'planned', chunk_id = %(later)s
WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s) AND chunk_id = %(chunk)s AND state = %(before)s
"""


class LeaseLost(Exception):
    """Another worker holds the chunk by now. What this one was about to write must not be."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A chunk held by this worker. was_abandoned: somebody died holding it before. expires_at: the chunk's own."""

    tenant_id: int
    chunk_id: int
    message_id: int
    number: int
    rank: int
    fence: int
    was_abandoned: bool
    expires_at: datetime | None = None
    variant: str = ""


def plan_deliveries(
    *,
    tenant_id: int,
    message_id: int,
    number: int,
    route: str,
    due_at: datetime,
    due: Sequence[int],
    suppressed: Mapping[Reason, Sequence[int]] | None = None,
    expires_at: datetime | None = None,
    rank: int = 0,
    variant: str = "",
) -> int:
    """Adds one chunk with these subscribers (row numbers). A repeat adds nothing. Answers how many rows are new.

    The caller adds them to a Tally, because it knows their languages."""
    chunk = Chunk.objects.create(
        tenant_id=tenant_id, message_id=message_id, number=number, rank=rank, due_at=due_at, expires_at=expires_at,
        is_ready=due_at <= clock.now(), variant=variant,
    )  # fmt: skip
    values = {"tenant": tenant_id, "message": message_id, "chunk": chunk.pk, "route": route}
    planned = _execute(_PLAN, {**values, "state": "planned", "reason": "", "subscribers": list(due)})
    refused = 0
    for reason, subscribers in (suppressed or {}).items():
        refused += _execute(
            _PLAN, {**values, "state": "suppressed", "reason": reason.value, "subscribers": list(subscribers)}
        )
    chunk.planned, chunk.suppressed, chunk.is_done = planned + refused, refused, planned == 0
    chunk.save(update_fields=["planned", "suppressed", "is_done"])
    return planned + refused


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of some people: due then, or suppressed with this reason."""

    due_at: datetime | None = None
    expires_at: datetime | None = None
    reason: str = ""


def plan_selected(
    *,
    tenant_id: int,
    message_id: int,
    number: int,
    route: str,
    due_at: datetime,
    counts: Mapping[Verdict, int],
    chunk: int,
    source: str,
    parameters: Mapping[str, Any],
) -> int:
    """Adds chunks of at most `chunk` people and their rows without naming anybody. Answers how many chunks.

    counts: how many get each verdict. source, parameters: a SELECT of (subscriber_id, place in `counts`) over something
    that holds still. Who gets nothing lies in the first chunk, due at `due_at` when nobody else is. Raises
    IntegrityError when somebody was planned before: ON CONFLICT would cost a third of the speed.
    """
    chunks, firsts = _chunks(counts, chunk, due_at)
    for place, one in enumerate(chunks):
        one.tenant_id, one.message_id, one.number = tenant_id, message_id, number + place
    Chunk.objects.bulk_create(chunks)
    # Which of a verdict's chunks somebody lies in is all the same, so where all get the same verdict nothing is sorted.
    alike = "PARTITION BY verdict" if len(counts) > 1 else ""
    written = _execute(
        _PLAN_SELECTED.format(source=source, alike=alike),
        {
            **parameters, "tenant": tenant_id, "message": message_id, "route": route, "size": chunk,
            "chunks": [one.pk for one in chunks], "firsts": firsts, "reasons": [verdict.reason for verdict in counts],
        },
    )  # fmt: skip
    assert written == sum(counts.values()), "the source did not hold still"
    return len(chunks)


def _chunks(counts: Mapping[Verdict, int], size: int, due_at: datetime) -> tuple[list[Chunk], list[int]]:
    """Chunks in the order in which they are due, and for each verdict the place of its first one, from 1."""
    chunks: list[Chunk] = []
    firsts = [1] * len(counts)
    due = [(one.due_at, place, one) for place, one in enumerate(counts) if one.due_at is not None]
    for moment, place, verdict in sorted(due, key=lambda entry: entry[:2]):
        firsts[place] = len(chunks) + 1
        for start in range(0, counts[verdict], size):
            planned = min(size, counts[verdict] - start)
            chunks.append(Chunk(due_at=moment, expires_at=verdict.expires_at, planned=planned))
    if not chunks:
        chunks.append(Chunk(due_at=due_at, is_done=True))
    suppressed = sum(count for verdict, count in counts.items() if verdict.due_at is None)
    chunks[0].planned += suppressed
    chunks[0].suppressed = suppressed
    return chunks, firsts


def hold(claim: Claim, *, done: bool = False, release: bool = False, **counted: int) -> None:
    """Renews the lease and adds to the counts, if the chunk is still ours. Raises LeaseLost.

    done: nothing is left in the chunk. release: somebody else may have it at once.
    """
    lease = "NULL" if done or release else "clock_timestamp() + make_interval(secs => %(lease)s)"
    changes = "".join(f", {name} = {name} + %({name})s" for name in counted)
    changed = _execute(
        f"UPDATE messaging_chunk SET lease_until = {lease}, is_done = %(done)s{changes} "  # noqa: S608  # our own names
        "WHERE tenant_id = %(tenant)s AND id = %(chunk)s AND fence = %(fence)s",
        {
            **counted,
            "done": done,
            "lease": settings.SENDING_LEASE,
            "tenant": claim.tenant_id,
            "chunk": claim.chunk_id,
            "fence": claim.fence,
        },
    )
    if not changed:
        raise LeaseLost


def settle_abandoned(claim: Claim, policy: UnknownPolicy) -> int:
    """What a dead worker had attempted: unknown for ever, or planned again, as the message's policy says.

    Answers how many deliveries were in flight.
    """
    again = policy == UnknownPolicy.AT_LEAST_ONCE
    with connection.cursor() as cursor:
        cursor.execute(
            _ABANDONED,
            {"tenant": claim.tenant_id, "chunk": claim.chunk_id, "again": again, "most": MAX_ATTEMPTS},
        )
        rows = cursor.fetchall()
    lost = [row for row in rows if row[0] == "unknown"]
    _tally(claim, lost)
    hold(claim, unknown=len(lost))
    return len(rows)


def mark_attempted(claim: Claim, ids: Sequence[int], *, first: int) -> None:
    """Must commit before any byte leaves. first: how many of them are attempted for the first time."""
    hold(claim, attempted=first)
    if _execute(_MARK, {"tenant": claim.tenant_id, "chunk": claim.chunk_id, "ids": list(ids)}) != len(ids):
        raise LeaseLost


def settle(
    claim: Claim, ids: Collection[int], *, state: str, reason: str = "", before: Sequence[str] = ("attempted",)
) -> None:
    """Gives these deliveries their outcome. The caller counts them with `hold` in the same transaction."""
    values = {"tenant": claim.tenant_id, "chunk": claim.chunk_id, "state": state, "reason": reason}
    if _execute(_SETTLE, {**values, "ids": list(ids), "before": list(before)}) != len(ids):
        raise LeaseLost


def cancel_rest(claim: Claim, reason: Reason) -> None:
    """Suppresses what is still planned in the chunk and closes it."""
    with connection.cursor() as cursor:
        cursor.execute(_CANCEL, {"tenant": claim.tenant_id, "chunk": claim.chunk_id, "reason": reason.value})
        rows = cursor.fetchall()
    _tally(claim, rows, reason=reason.value)
    hold(claim, done=True, suppressed=len(rows))


def _tally(claim: Claim, rows: Sequence[tuple[str, str, str | None]], *, reason: str = "") -> None:
    """rows: (state, route, language or None of somebody erased)."""
    tally, now = Tally(claim.tenant_id, claim.message_id), clock.now()
    for state, route, language in rows:
        tally.add(state, [language or ""], route=route, reason=reason, variant=claim.variant, at=now)
    tally.write()


def move_to_later(claim: Claim, ids: Collection[int], *, seconds: float) -> None:
    """Puts deliveries that surely were not processed into a chunk of their own, due in `seconds`."""
    _move(claim, ids, due_at=clock.now() + timedelta(seconds=seconds), before="attempted")


def hold_until(claim: Claim, ids: Collection[int], *, due_at: datetime) -> None:
    """Puts deliveries that were not attempted into a chunk of their own."""
    _move(claim, ids, due_at=due_at, before="planned")


def _move(claim: Claim, ids: Collection[int], *, due_at: datetime, before: str) -> None:
    later = Chunk.objects.create(
        tenant_id=claim.tenant_id,
        message_id=claim.message_id,
        number=claim.number,
        rank=claim.rank,
        due_at=due_at,
        expires_at=claim.expires_at,
        variant=claim.variant,
    )
    values = {"tenant": claim.tenant_id, "chunk": claim.chunk_id, "later": later.pk, "ids": list(ids), "before": before}
    if _execute(_MOVE, values) != len(ids):
        raise LeaseLost


def postpone(claim: Claim, *, due_at: datetime) -> None:
    """Gives the whole chunk back, due then. Raises LeaseLost."""
    hold(claim, release=True)
    Chunk.objects.of(claim.tenant_id).filter(pk=claim.chunk_id).update(due_at=due_at, is_ready=False)


def _execute(statement: str, values: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        changed: int = cursor.rowcount
    return changed
