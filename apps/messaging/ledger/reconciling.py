"""Is every accepted delivery billed, and nothing else? The ledger of deliveries against the recorded usage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from apps.billing.meters import CAMPAIGN_SENDS
from apps.core import clock
from apps.tenants.models import Tenant
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope

#: A message that ended longer ago cannot change any more and was compared before.
_WATCHED = timedelta(hours=1)
_MOST_TENANTS = 500

_WATCHED_TENANTS = """
SELECT DISTINCT tenant_id FROM messaging_message WHERE ended_at IS NULL OR ended_at >= %s ORDER BY 1 LIMIT %s
"""

_BILLED = """
SELECT split_part(source_key, ':', 2)::bigint AS message_id, sum(quantity)::bigint AS units FROM usage_event
WHERE tenant_id = %(tenant)s AND meter = %(meter)s AND source_key LIKE 'deliveries:%%'
  AND occurred_at >= (SELECT min(created_at) FROM message) GROUP BY 1
"""

# The kept counts of the chunks: cheap enough for every few seconds.
_KEPT = f"""
WITH message AS (
    SELECT id, created_at FROM messaging_message
    WHERE tenant_id = %(tenant)s AND (ended_at IS NULL OR ended_at >= %(since)s)
), billed AS ({_BILLED})
SELECT message.id, coalesce((SELECT sum(accepted) FROM messaging_chunk AS chunk
                    WHERE chunk.tenant_id = %(tenant)s AND chunk.message_id = message.id), 0)::bigint,
       coalesce(billed.units, 0)
FROM message LEFT JOIN billed ON billed.message_id = message.id
"""  # noqa: S608  # our own text

# The rows themselves, for the operator's command.
_ROWS = f"""
WITH message AS (
    SELECT id, created_at FROM messaging_message WHERE tenant_id = %(tenant)s AND created_at >= %(since)s
), billed AS ({_BILLED})
SELECT message.id, (SELECT count(*) FROM messaging_delivery AS delivery
                    WHERE delivery.tenant_id = %(tenant)s AND delivery.message_id = message.id
                      AND delivery.state = 'accepted'),
       coalesce(billed.units, 0)
FROM message LEFT JOIN billed ON billed.message_id = message.id
"""  # noqa: S608  # our own text


@dataclass(frozen=True, slots=True)
class Billed:
    """One message: deliveries that a provider accepted, and units of `campaign.sends` recorded for them."""

    message_id: int
    accepted: int
    billed: int

    @property
    def difference(self) -> int:
        return self.accepted - self.billed


def unbilled_messages(*, tenant: Tenant, since: datetime) -> list[Billed]:
    """Messages accepted since then whose ledger rows and bill differ. Reads every row of theirs."""
    return _wrong(_ROWS, tenant.pk, since)


def delivery_differences() -> dict[int, int]:
    """Tenant's row number -> units by which ledger and bill differ, of the messages under way or ended lately.

    Outcomes and usage are written in one transaction, so this holds at every moment. Opens its own scopes.
    """
    since = clock.now() - _WATCHED
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        cursor.execute(_WATCHED_TENANTS, [since, _MOST_TENANTS])
        tenants = [tenant_id for (tenant_id,) in cursor.fetchall()]
    differences = {}
    for tenant_id in tenants:
        with tenant_scope(tenant_id):
            differences[tenant_id] = sum(abs(each.difference) for each in _wrong(_KEPT, tenant_id, since))
    return {tenant_id: difference for tenant_id, difference in differences.items() if difference}


def _wrong(statement: str, tenant_id: int, since: datetime) -> list[Billed]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"tenant": tenant_id, "since": since, "meter": CAMPAIGN_SENDS})
        rows = [Billed(*row) for row in cursor.fetchall()]
    return [row for row in rows if row.difference]
