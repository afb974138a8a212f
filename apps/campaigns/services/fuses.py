"""The fuse of a campaign: when a run of it stood still by itself, all of it does, and who answers for it is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import connection
from django.utils.translation import gettext_lazy as _

from apps.campaigns.errors import SendingRuleInvalid
from apps.campaigns.models import Campaign, SendingDefaults
from apps.campaigns.services.scheduling import pause_campaign
from apps.campaigns.states import Status
from apps.messaging.sending.fusing import Fuse
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope
from apps.tenants.services import SYSTEM, record_audit
from apps.tenants.services.notices import tell_those_who_answer

#: Least and most of each member of a Fuse.
BOUNDS: Mapping[str, tuple[int, int]] = {
    "errors": (1, 100), "gone": (1, 100), "window": (60, 3_600), "least": (10, 1_000_000)
}  # fmt: skip

_BLOWN = """
SELECT DISTINCT campaign.tenant_id, campaign.id, message.paused_for
FROM campaigns_campaign campaign
JOIN campaigns_campaignrun run ON run.tenant_id = campaign.tenant_id AND run.campaign_id = campaign.id
JOIN messaging_message message ON message.id = run.message_id
WHERE campaign.status = 'sending' AND message.ended_at IS NULL AND message.paused_for <> '' LIMIT 100
"""


def set_fuse(*, tenant: Tenant, application: Application, fuse: Mapping[str, Any] | None) -> SendingDefaults:
    """For runs that start from now on; None for the usual. Raises SendingRuleInvalid."""
    for name, value in (fuse or {}).items():
        least, most = BOUNDS.get(name, (1, 0))
        if type(value) is not int or not least <= value <= most:
            bounds = {"least": least, "most": most}
            sentence = _("Use a whole number from %(least)d to %(most)d.") % bounds
            raise SendingRuleInvalid(sentence, fields={name: [sentence]})
    defaults, _created = SendingDefaults.objects.get_or_create(tenant=tenant, application=application)
    defaults.fuse = Fuse(**fuse).to_json() if fuse is not None else None
    defaults.save(update_fields=["fuse"])
    return defaults


def pause_blown_campaigns() -> int:
    """Answers how many. Opens its own scopes; two ticks at once pause and tell once."""
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        cursor.execute(_BLOWN)
        blown = cursor.fetchall()
    return sum(_pause(*row) for row in blown)


def _pause(tenant_id: int, campaign_id: int, reason: str) -> bool:
    with tenant_scope(tenant_id):
        rows = Campaign.objects.of(tenant_id).select_for_update(skip_locked=True, no_key=True, of=("self",))
        campaign = rows.select_related("tenant").filter(pk=campaign_id, status=Status.SENDING).first()
        if campaign is None:
            return False
        pause_campaign(tenant=campaign.tenant, campaign=campaign).changed(paused_for=reason)
        stop(campaign, reason)
        return True


def stop(campaign: Campaign, reason: str) -> None:
    """Leaves the audit entry and the letters about a campaign that was paused by itself."""
    record_audit(
        tenant=campaign.tenant, actor=SYSTEM, action="campaign.paused", target=campaign.public_id,
        facts={"reason": reason},
    )  # fmt: skip
    facts = {"name": campaign.name, "reason": reason, "id": campaign.public_id}
    tell_those_who_answer(tenant=campaign.tenant, kind="campaign_paused", facts=facts)
