"""Envelopes of the ticks. What is due stands in PostgreSQL and in the stream; a lost ring costs a second."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings

from apps.billing import partitions
from apps.billing.services.alerts import raise_alerts
from apps.billing.services.allowances import answer_asks, settle_due_allowances
from apps.billing.services.calls import count_calls
from apps.billing.services.credits import expire_credits
from apps.billing.services.dunning import take_dunning_steps
from apps.billing.services.ingest import ingest
from apps.billing.services.month_end import (
    finalise_due,
    is_counting_behind,
    open_due_drafts,
    take_all,
)
from apps.billing.services.retention import drop_old_months, prune_keys, sweep_sources


@shared_task(name="billing.ingest")
def take_usage(**_unknown: object) -> None:
    """Counts what the gateways left and answers what they asked, in every region."""
    for region in settings.VALKEY_URLS:
        ingest(region=region)
        answer_asks(region=region)


@shared_task(name="billing.count_calls")
def take_calls(**_unknown: object) -> None:
    """Counts the webhooks that arrived."""
    count_calls()


@shared_task(name="billing.watch")
def watch(**_unknown: object) -> None:
    """Allowances that are due, alerts that are due."""
    settle_due_allowances()
    raise_alerts()


@shared_task(name="billing.month_end")
def month_end(**_unknown: object) -> None:
    """Drafts, invoices, expired credit and dunning that are due."""
    take_all(open_due_drafts)
    if not is_counting_behind():
        take_all(finalise_due)
    expire_credits()
    take_all(take_dunning_steps)


@shared_task(name="billing.open_months")
def open_months(**_unknown: object) -> None:
    """The next months' partitions."""
    partitions.open_months_ahead()


@shared_task(name="billing.forget")
def forget(**_unknown: object) -> None:
    """What is kept no longer: raw months, identities, silent sources."""
    drop_old_months()
    prune_keys()
    sweep_sources()
