"""What the doors ask about campaigns."""

from __future__ import annotations

from apps.audience.models import Subscriber
from apps.campaigns.models import Campaign, CampaignRun
from apps.messaging.ledger.states import Counts
from apps.messaging.models import Delivery, Message
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


def lately_sent_to(person: Subscriber, *, runs: int) -> list[tuple[CampaignRun, Delivery]]:
    """What the application's last runs did about the person, newest first, a row per route. Two queries by keys."""
    last = CampaignRun.objects.of(person.tenant_id).filter(campaign__application=person.application_id)
    by_message = {run.message_id: run for run in last.select_related("campaign").order_by("-pk")[:runs]}
    rows = Delivery.objects.of(person.tenant_id).filter(message__in=list(by_message), subscriber=person)
    return [(by_message[row.message_id], row) for row in rows.order_by("-pk")]
