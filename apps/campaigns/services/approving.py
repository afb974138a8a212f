"""Approval of a campaign or a journey by a second person. It signs the plan: whatever changes in it afterwards, and a
price of a campaign that grew by more than a tenth, voids it. The moment of sending is not part of the plan."""

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
from apps.campaigns.journeys.freezing import frozen
from apps.campaigns.models import Approval, Campaign, Journey, SendingDefaults
from apps.campaigns.services.rules import fuse_of, quiet_hours_of
from apps.campaigns.services.scheduling import content_of
from apps.tenants.models import Application, Tenant, TenantQuerySet
from apps.tenants.services import record_audit

Subject = Campaign | Journey
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


def signed_plan(subject: Subject) -> dict[str, Any]:
    """Everything that decides what people get: a template's words and a segment's rules written out. Raises
    JourneyInvalid for a draft that cannot be published."""
    if isinstance(subject, Journey):
        return {"name": subject.name, "definition": frozen(subject.application, subject.definition)}
    return _plan_of_campaign(subject)


def _plan_of_campaign(campaign: Campaign) -> dict[str, Any]:
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


def decide_approval(*, tenant: Tenant, subject: Subject, user: User, approves: bool, seen: str) -> Approval:
    """seen: hash of the plan that the person was shown. Raises ApprovalOutdated, SelfApproval: also for what was asked
    for with a key or an OAuth client that the person made."""
    asked = approvals_of(subject).select_for_update(of=("self",)).filter(decision="").first()
    if asked is None or asked.hash != seen or asked.hash != hash_of(signed_plan(subject)):
        raise ApprovalOutdated
    if asked.asked_by_id == user.pk:
        raise SelfApproval
    decision = "approved" if approves else "rejected"
    asked.changed(decision=decision, decided_by=user)
    record_audit(
        tenant=tenant, actor=user.public_id, action=f"{kind_of(subject)}.{decision}", target=subject.public_id,
        facts={"hash": asked.hash},
    )  # fmt: skip
    return asked


def is_approval_needed(subject: Subject) -> bool:
    rows = SendingDefaults.objects.of(subject.tenant_id).filter(application=subject.application_id)
    return rows.filter(needs_approval=True).exists()


def approvals_of(subject: Subject) -> TenantQuerySet[Approval]:
    rows = Approval.objects.of(subject.tenant_id)
    return rows.filter(journey=subject) if isinstance(subject, Journey) else rows.filter(campaign=subject)


def kind_of(subject: Subject) -> str:
    """As actions in the audit log begin."""
    return "journey" if isinstance(subject, Journey) else "campaign"


def latest_approval(subject: Subject, **only: str) -> Approval | None:
    rows = approvals_of(subject).filter(**only)
    return rows.select_related("asked_by", "decided_by").order_by("-pk").first()


def is_approved(subject: Subject) -> bool:
    """Whether the plan as it is now is the one that was approved last, at about its price. Nobody knows the price of a
    journey before it has run."""
    last = latest_approval(subject, decision="approved")
    if last is None or last.hash != hash_of(signed_plan(subject)):
        return False
    if isinstance(subject, Journey):
        return True
    now, then = price_of(subject), last.figures
    return now.currency == then["currency"] and Decimal(now.amount) <= Decimal(then["amount"]) * _LEEWAY


def require_approved(subject: Subject) -> None:
    """Raises ApprovalMissing."""
    if is_approval_needed(subject) and not is_approved(subject):
        raise ApprovalMissing


def changes_since_approval(subject: Subject) -> list[Change]:
    """What differs from the plan that was approved last; everything, when none was."""
    last = latest_approval(subject, decision="approved")
    before: dict[str, Any] = last.plan if last else {}
    after: dict[str, Any] = orjson.loads(orjson.dumps(signed_plan(subject)))
    return [
        Change(name, before.get(name), after.get(name))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name) or (name in after) != (name in before)
    ]
