"""Whose chunk is next. Tenants take turns by what they send, so a large run delays nobody else's by more than a chunk
per worker; within a tenant the urgent goes first, then what stands further ahead in its own message.

Turns are start-time fair queueing: a tenant's turn begins where its last one ended, but not before the turn that was
begun last, so whoever was idle has saved nothing up. A turn costs the deliveries of its chunk.
"""

from __future__ import annotations

from django.conf import settings
from django.db import connection

from apps.messaging.ledger.steps import Claim
from apps.tenants.scope import CrossTenantRole, all_tenants

#: What a turn costs at least: a claim is work too.
_LEAST_COST = 20
#: Chunks that become ready with one claim: they are looked for by their time, and those still to come are not read.
_WOKEN = 100

# clock_timestamp() would be no bound for an index: it changes while the rows are read.
_WAKE = """
UPDATE messaging_chunk SET is_ready = true WHERE id IN (
    SELECT id FROM messaging_chunk WHERE NOT is_done AND NOT is_ready AND due_at <= statement_timestamp()
    ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED
)
"""

# `busy` reads one index entry per tenant with something ready. `queue` is sorted before the sideways join, which stops
# at the first tenant that has a chunk for us.
_CLAIM = """
WITH RECURSIVE busy AS (
    (SELECT min(tenant_id) AS tenant_id FROM messaging_chunk WHERE is_ready AND NOT is_done)
    UNION ALL
    SELECT (SELECT min(chunk.tenant_id) FROM messaging_chunk chunk
            WHERE chunk.is_ready AND NOT chunk.is_done AND chunk.tenant_id > busy.tenant_id)
    FROM busy WHERE busy.tenant_id IS NOT NULL
), queue AS MATERIALIZED (
    SELECT busy.tenant_id, coalesce(turn.ends, 0) AS ended,
           greatest(coalesce(turn.ends, 0), coalesce((SELECT max(begins) FROM messaging_sendingturn), 0)) AS begins
    FROM busy LEFT JOIN messaging_sendingturn turn ON turn.tenant_id = busy.tenant_id
    WHERE busy.tenant_id IS NOT NULL ORDER BY begins, ended, busy.tenant_id
), next AS MATERIALIZED (
    SELECT found.*, queue.tenant_id, queue.begins FROM queue CROSS JOIN LATERAL (
        SELECT chunk.id, chunk.planned, chunk.lease_until IS NOT NULL AS was_abandoned
        FROM messaging_chunk chunk JOIN messaging_message message ON message.id = chunk.message_id
        WHERE chunk.tenant_id = queue.tenant_id AND chunk.is_ready AND NOT chunk.is_done
          AND chunk.due_at <= clock_timestamp() AND message.state <> 'paused'
          AND (chunk.lease_until IS NULL OR chunk.lease_until < clock_timestamp())
        ORDER BY chunk.rank, chunk.number, chunk.id LIMIT 1 FOR UPDATE OF chunk SKIP LOCKED
    ) found LIMIT 1
), turn AS (
    INSERT INTO messaging_sendingturn (tenant_id, begins, ends)
    SELECT tenant_id, begins, begins + greatest(planned, %(least)s) FROM next
    ON CONFLICT (tenant_id) DO UPDATE SET begins = excluded.begins,
        ends = greatest(messaging_sendingturn.ends, excluded.begins) + excluded.ends - excluded.begins
)
UPDATE messaging_chunk chunk
SET lease_until = clock_timestamp() + make_interval(secs => %(lease)s), fence = fence + 1
FROM next WHERE chunk.id = next.id
RETURNING chunk.tenant_id, chunk.id, chunk.message_id, chunk.number, chunk.rank, chunk.fence, next.was_abandoned,
    chunk.expires_at, chunk.variant
"""


def claim_chunk() -> Claim | None:
    """The next due chunk. Opens its own scope and commits: from here on the lease runs."""
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        cursor.execute(_WAKE, [_WOKEN])
        cursor.execute(_CLAIM, {"lease": settings.SENDING_LEASE, "least": _LEAST_COST})
        row = cursor.fetchone()
    return Claim(*row) if row else None
