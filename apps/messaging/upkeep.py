"""What the tick does to messages of all tenants."""

from __future__ import annotations

from django.db import connection

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
"""

_IDLE = """
SELECT count(*) FROM (
    SELECT FROM messaging_chunk chunk JOIN messaging_message message ON message.id = chunk.message_id
    WHERE NOT chunk.is_done AND chunk.due_at <= clock_timestamp() AND message.state <> 'paused'
      AND (chunk.lease_until IS NULL OR chunk.lease_until < clock_timestamp())
    LIMIT %s
) AS idle
"""


def end_messages() -> int:
    """Ends every message whose deliveries all have their outcome. Answers how many."""
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        cursor.execute(_END)
        ended: int = cursor.rowcount
    return ended


def idle_chunks() -> int:
    """How many chunks are due and held by nobody, up to a few."""
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        cursor.execute(_IDLE, [_MOST])
        count: int = cursor.fetchone()[0]
    return count
