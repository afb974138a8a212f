"""What the doors ask about campaigns."""

from __future__ import annotations

from apps.campaigns.models import Campaign, CampaignRun
from apps.messaging.ledger.states import Counts
from apps.messaging.models import Message
from apps.messaging.queries import counts_of_all


def messages_of(campaigns: list[Campaign]) -> dict[int, Message]:
    """The last run's message of each campaign that has started, by the campaign's row number. One query."""
    if not campaigns:
        return {}
    runs = (
        CampaignRun.objects.of(campaigns[0].tenant_id)
        .filter(campaign__in=campaigns)
        .order_by("id")
        .select_related("message")
    )
    return {run.campaign_id: run.message for run in runs}


def counts_of_campaigns(campaigns: list[Campaign]) -> dict[int, Counts]:
    """By the campaign's row number; zeros for one that has not started. Two queries, however many campaigns."""
    messages = messages_of(campaigns)
    counts = counts_of_all(list(messages.values()))
    return {
        campaign.pk: counts[messages[campaign.pk].pk] if campaign.pk in messages else Counts() for campaign in campaigns
    }
