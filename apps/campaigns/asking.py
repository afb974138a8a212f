"""Asking for an approval, with the figures of a dry run."""

from __future__ import annotations

from typing import Any

import orjson

from apps.accounts.models import User
from apps.accounts.services.mail import send_notice
from apps.billing.services.caps import quote_sends
from apps.campaigns.journeys.definition import Kind
from apps.campaigns.models import Approval, Campaign, Journey
from apps.campaigns.services.approving import (
    PERMISSION,
    Subject,
    approvals_of,
    hash_of,
    kind_of,
    price_of,
    signed_plan,
)
from apps.campaigns.simulation import simulate_campaign
from apps.tenants.models import Membership, Tenant
from apps.tenants.permissions import Role, may
from apps.tenants.services import record_audit


def ask_for_approval(
    *, tenant: Tenant, subject: Subject, actor: str, asked_by: User | None = None, asked_with: str = ""
) -> Approval:
    """The plan as it is now, with the figures of its dry run. Asking again replaces what was asked. Tells whoever may
    approve. asked_with: public id of the key or OAuth client that asks; then asked_by is who made it. Raises what
    simulate_campaign and signed_plan raise."""
    plan = signed_plan(subject)
    approvals_of(subject).filter(decision="").delete()
    asked = Approval.objects.create(
        tenant=tenant, plan=orjson.loads(orjson.dumps(plan)), hash=hash_of(plan), figures=_figures(subject),
        asked_by=asked_by, asked_with=asked_with, **{kind_of(subject): subject},
    )  # fmt: skip
    record_audit(
        tenant=tenant, actor=actor, action=f"{kind_of(subject)}.approval_asked", target=subject.public_id,
        facts={"hash": asked.hash},
    )  # fmt: skip
    able = [role.value for role in Role if may(role, PERMISSION)]
    for member in Membership.objects.of(tenant).filter(role__in=able).exclude(user=asked_by).select_related("user"):
        send_notice(user=member.user, kind="approval_asked", facts={"name": subject.name})
    return asked


def _figures(subject: Subject) -> dict[str, Any]:
    return _of_journey(subject) if isinstance(subject, Journey) else _of_campaign(subject)


def _of_journey(journey: Journey) -> dict[str, Any]:
    """Who will come nobody knows: what a thousand sends cost."""
    kinds = [step["kind"] for step in journey.definition["steps"]]
    price = quote_sends(tenant=journey.tenant, quantity=1_000)
    return {
        "steps": len(kinds), "send_steps": kinds.count(Kind.SEND.value), "currency": price.currency,
        "per_thousand": price.amount,
    }  # fmt: skip


def _of_campaign(campaign: Campaign) -> dict[str, Any]:
    found, price = simulate_campaign(campaign), price_of(campaign)
    return {
        "audience": found.audience, "sends": found.sends, "suppressed": found.suppressed.total(),
        "currency": price.currency, "amount": price.amount,
    }  # fmt: skip
