"""Envelopes of the ticks. What is due stands in PostgreSQL and in the stream; a lost ring costs a second."""

from __future__ import annotations

import time

from celery import shared_task
from django.conf import settings

from apps.billing import partitions
from apps.billing.services.alerts import raise_alerts
from apps.billing.services.allowances import answer_asks, settle_due_allowances
from apps.billing.services.calls import count_calls
from apps.billing.services.credits import expire_credits
from apps.billing.services.dunning import take_dunning_steps
from apps.billing.services.ingest import ingest
from apps.billing.services.month_end import bill_some, rings_needed
from apps.billing.services.refunds import send_refunds
from apps.billing.services.reservations import sweep_reservations
from apps.billing.services.retention import drop_old_months, prune_keys, sweep_sources
from apps.billing.services.watching import watch_caps_and_applications

#: Seconds from one tick of the month end to the next.
_NEXT_TICK = 15.0


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
    """Allowances that are due, alerts that are due, promises nobody came back for."""
    settle_due_allowances()
    raise_alerts()
    watch_caps_and_applications()
    sweep_reservations()


@shared_task(name="billing.month_end")
def month_end(**_unknown: object) -> None:
    """Expired credit, dunning and refunds that are due; rings workers for the cycles that ended."""
    for _worker in range(rings_needed()):
        bill_cycles.delay(until=time.time() + _NEXT_TICK)
    expire_credits()
    take_dunning_steps()
    send_refunds()


@shared_task(name="billing.bill_cycles")
def bill_cycles(*, until: float, **_unknown: object) -> None:
    """A few drafts and invoices that are due, then again. Any number may run at once.

    until: Unix time of the next tick, which rings anew; so there are never more than a few, whatever dies.
    """
    if time.time() < until and bill_some():
        bill_cycles.delay(until=until)


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
