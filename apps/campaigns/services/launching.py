"""Scheduling where a second person must have approved."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from apps.campaigns.models import Campaign
from apps.campaigns.services import scheduling
from apps.campaigns.services.approving import require_approved
from apps.tenants.models import Tenant


def schedule_campaign(*, tenant: Tenant, campaign: Campaign, send_at: datetime | None) -> Campaign:
    """See scheduling.schedule_campaign; besides raises ApprovalMissing."""
    with transaction.atomic():  # a door that catches the refusal must not commit what came before it
        scheduled = scheduling.schedule_campaign(tenant=tenant, campaign=campaign, send_at=send_at)
        require_approved(scheduled)
        return scheduled
