"""Asking for an approval, with the figures of a dry run."""

from __future__ import annotations

from typing import Any

import orjson

from apps.accounts.models import User
from apps.accounts.services.mail import send_notice
from apps.campaigns.models import Approval, Campaign
from apps.campaigns.services.approving import PERMISSION, hash_of, price_of, signed_plan
from apps.campaigns.simulation import simulate_campaign
from apps.tenants.models import Membership, Tenant
from apps.tenants.permissions import Role, may
from apps.tenants.services import record_audit


def ask_for_approval(*, tenant: Tenant, campaign: Campaign, actor: str, asked_by: User | None = None) -> Approval:
    """The plan as it is now, with the figures of its dry run. Asking again replaces what was asked. Tells whoever may
    approve. Raises what simulate_campaign raises."""
    plan = signed_plan(campaign)
    Approval.objects.of(tenant).filter(campaign=campaign, decision="").delete()
    asked = Approval.objects.create(
        tenant=tenant, campaign=campaign, plan=orjson.loads(orjson.dumps(plan)), hash=hash_of(plan),
        figures=_figures(campaign), asked_by=asked_by,
    )  # fmt: skip
    record_audit(
        tenant=tenant, actor=actor, action="campaign.approval_asked", target=campaign.public_id,
        facts={"hash": asked.hash},
    )  # fmt: skip
    able = [role.value for role in Role if may(role, PERMISSION)]
    for member in Membership.objects.of(tenant).filter(role__in=able).exclude(user=asked_by).select_related("user"):
        send_notice(user=member.user, kind="approval_asked", facts={"name": campaign.name})
    return asked


def _figures(campaign: Campaign) -> dict[str, Any]:
    found, price = simulate_campaign(campaign), price_of(campaign)
    return {
        "audience": found.audience, "sends": found.sends, "suppressed": found.suppressed.total(),
        "currency": price.currency, "amount": price.amount,
    }  # fmt: skip
