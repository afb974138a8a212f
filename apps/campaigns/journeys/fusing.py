"""The fuse of a journey: when too many of its sends fail or their installations are gone, all of it stands still, and
who answers for it is told. It counts over all of the journey's messages (messaging.sending.fusing)."""

from __future__ import annotations

from django.db import connection

from apps.campaigns.journeys.models import Journey, JourneyStatus
from apps.campaigns.journeys.services import pause_journey
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope
from apps.tenants.services import SYSTEM, record_audit
from apps.tenants.services.notices import tell_those_who_answer

# Of ended messages too: a journey's are small, and often over by the time somebody looks. A resumption clears them.
_BLOWN = """
SELECT tenant_id, origin, min(paused_for) FROM messaging_message
WHERE paused_for <> '' AND origin LIKE %s GROUP BY tenant_id, origin LIMIT 100
"""


def pause_blown_journeys() -> int:
    """Answers how many. Opens its own scopes; two ticks at once pause and tell once."""
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        cursor.execute(_BLOWN, [f"{Journey.public_id_prefix}\\_%"])
        blown = cursor.fetchall()
    return sum(_pause(*row) for row in blown)


def _pause(tenant_id: int, origin: str, reason: str) -> bool:
    with tenant_scope(tenant_id):
        active = Journey.objects.of(tenant_id).filter(pk=Journey.number_of(origin), status=JourneyStatus.ACTIVE)
        journey = active.select_for_update(skip_locked=True, no_key=True, of=("self",)).select_related("tenant").first()
        if journey is None:
            return False
        journey = pause_journey(tenant=journey.tenant, journey=journey).changed(paused_for=reason)
        record_audit(
            tenant=journey.tenant, actor=SYSTEM, action="journey.paused", target=journey.public_id,
            facts={"reason": reason},
        )  # fmt: skip
        facts = {"name": journey.name, "reason": reason, "id": journey.public_id}
        tell_those_who_answer(tenant=journey.tenant, kind="journey_paused", facts=facts)
        return True
