"""What the tick does to messages of all tenants."""

from __future__ import annotations

from django.db import connection

from apps.messaging.telling import tell_end
from apps.tenants.scope import CrossTenantRole, all_tenants

#: Chunks looked for per tick: enough to wake every worker of a small installation.
_MOST = 4

_END = """
UPDATE messaging_message message SET ended_at = clock_timestamp(), is_planned = true, updated_at = clock_timestamp()
WHERE message.ended_at IS NULL AND (message.is_planned OR message.state = 'cancelled')
  AND NOT EXISTS (
      SELECT FROM messaging_chunk chunk
      WHERE chunk.tenant_id = message.tenant_id AND chunk.message_id = message.id AND NOT chunk.is_done
  )
RETURNING tenant_id, id, origin
"""

# Of what is to come only a few are read: by their time, which the index knows.
_IDLE = """
SELECT count(*) FROM (
    SELECT FROM (
        (SELECT message_id, lease_until FROM messaging_chunk
         WHERE NOT is_done AND NOT is_ready AND due_at <= statement_timestamp() ORDER BY due_at LIMIT %(most)s)
        UNION ALL
        SELECT message_id, lease_until FROM messaging_chunk WHERE NOT is_done AND is_ready
    ) AS chunk JOIN messaging_message message ON message.id = chunk.message_id
    WHERE message.state <> 'paused' AND (chunk.lease_until IS NULL OR chunk.lease_until < clock_timestamp())
    LIMIT %(most)s
) AS idle
"""


def end_messages() -> int:
    """Ends every message whose deliveries all have their outcome, and tells who looks. Answers how many."""
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        cursor.execute(_END)
        ended = cursor.fetchall()
    for row in ended:
        tell_end(*row)
    return len(ended)


def idle_chunks() -> int:
    """How many chunks are due and held by nobody, up to a few."""
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        cursor.execute(_IDLE, {"most": _MOST})
        count: int = cursor.fetchone()[0]
    return count
