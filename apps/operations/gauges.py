"""The figures that the worker measures for `/metrics`."""

from __future__ import annotations

from django.conf import settings

from apps.billing.services.checking import backlog, unmatched_count
from apps.billing.services.reconciling import plane_differences
from apps.messaging.ledger.reconciling import delivery_differences
from apps.operations.metrics import register_gauge


def register() -> None:
    register_gauge(
        "usage_backlog", "Usage records that wait to be billed.", lambda: backlog(region=settings.HOME_REGION)
    )
    register_gauge("usage_unmatched", "Accepted usage records that could not be billed. Alert on any.", unmatched_count)
    register_gauge(
        "billing_delivered_minus_billed",
        "Units by which deliveries and gateway counters differ from what is billed, without signs. Alert on any.",
        delivered_minus_billed,
    )


def delivered_minus_billed() -> int:
    """Over all tenants. Differences do not cancel each other out."""
    plane = plane_differences(region=settings.HOME_REGION)
    return sum(plane.values()) + sum(delivery_differences().values())
