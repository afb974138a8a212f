"""Approval by a second person. It signs the plan: whatever changes in it afterwards, and a price that grew by more than
a tenth, voids it. The moment of sending is not part of the plan."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson

from apps.accounts.models import User
from apps.billing.services.caps import Quote, quote_sends
from apps.campaigns.audiences import audience_of_campaign, frozen_audience
from apps.campaigns.errors import ApprovalMissing, ApprovalOutdated, SelfApproval
from apps.campaigns.models import Approval, Campaign, SendingDefaults
from apps.campaigns.services.rules import fuse_of, quiet_hours_of
from apps.campaigns.services.scheduling import content_of
from apps.tenants.models import Application, Tenant
from apps.tenants.services import record_audit

PERMISSION = "campaigns.approve"
#: By how much the price may grow after the approval.
_LEEWAY = Decimal("1.1")
_SIGNED = (
    "name", "routes", "strategy", "unknown_policy", "ttl", "category", "throttle_per_minute", "frequency_cap",
    "follow_up", "fallback_after", "is_urgent", "collapse_key", "experiment",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One part of the plan that differs from the one approved last; before is None when it was not there."""

    name: str
    before: Any
    after: Any


def signed_plan(campaign: Campaign) -> dict[str, Any]:
    """Everything that decides what people get: a template's words and a segment's rules written out."""
    quiet = quiet_hours_of(campaign)
    plan = {name: getattr(campaign, name) for name in _SIGNED}
    return {
        **plan,
        "content": content_of(campaign),
        "audience": frozen_audience(campaign),
        "schedule": {name: value for name, value in campaign.schedule.items() if name != "send_at"},
        "quiet_hours": quiet.to_json() if quiet else None,
        "fuse": fuse_of(campaign).to_json(),
    }


def hash_of(plan: dict[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(plan, option=orjson.OPT_SORT_KEYS)).hexdigest()


def price_of(campaign: Campaign) -> Quote:
    """Of a send to everybody in the audience."""
    return quote_sends(tenant=campaign.tenant, quantity=audience_of_campaign(campaign).count())


def set_needs_approval(*, tenant: Tenant, application: Application, needed: bool, actor: str) -> None:
    defaults, _created = SendingDefaults.objects.get_or_create(tenant=tenant, application=application)
    if defaults.needs_approval != needed:
        defaults.needs_approval = needed
        defaults.save(update_fields=["needs_approval"])
        record_audit(
            tenant=tenant, actor=actor, action="application.approval_changed", target=application.public_id,
            facts={"needed": needed},
        )  # fmt: skip


def decide_approval(*, tenant: Tenant, campaign: Campaign, user: User, approves: bool, seen: str) -> Approval:
    """seen: hash of the plan that the person was shown. Raises ApprovalOutdated, SelfApproval."""
    rows = Approval.objects.of(tenant).select_for_update(of=("self",)).filter(campaign=campaign, decision="")
    asked = rows.first()
    if asked is None or asked.hash != seen or asked.hash != hash_of(signed_plan(campaign)):
        raise ApprovalOutdated
    if asked.asked_by_id == user.pk:
        raise SelfApproval
    decision = "approved" if approves else "rejected"
    asked.changed(decision=decision, decided_by=user)
    record_audit(
        tenant=tenant, actor=user.public_id, action=f"campaign.{decision}", target=campaign.public_id,
        facts={"hash": asked.hash},
    )  # fmt: skip
    return asked


def is_approval_needed(campaign: Campaign) -> bool:
    rows = SendingDefaults.objects.of(campaign.tenant_id).filter(application=campaign.application_id)
    return rows.filter(needs_approval=True).exists()


def latest_approval(campaign: Campaign, **only: str) -> Approval | None:
    rows = Approval.objects.of(campaign.tenant_id).filter(campaign=campaign, **only)
    return rows.select_related("asked_by", "decided_by").order_by("-pk").first()


def is_approved(campaign: Campaign) -> bool:
    """Whether the plan as it is now is the one that was approved last, at about its price."""
    last = latest_approval(campaign, decision="approved")
    if last is None or last.hash != hash_of(signed_plan(campaign)):
        return False
    now, then = price_of(campaign), last.figures
    return now.currency == then["currency"] and Decimal(now.amount) <= Decimal(then["amount"]) * _LEEWAY


def require_approved(campaign: Campaign) -> None:
    """Raises ApprovalMissing."""
    if is_approval_needed(campaign) and not is_approved(campaign):
        raise ApprovalMissing


def changes_since_approval(campaign: Campaign) -> list[Change]:
    """What differs from the plan that was approved last; everything, when none was."""
    last = latest_approval(campaign, decision="approved")
    before: dict[str, Any] = last.plan if last else {}
    after: dict[str, Any] = orjson.loads(orjson.dumps(signed_plan(campaign)))
    return [
        Change(name, before.get(name), after.get(name))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name) or (name in after) != (name in before)
    ]
