"""The figures that the worker measures for `/metrics`."""

from __future__ import annotations

from django.conf import settings

from apps.billing.services.checking import backlog, unmatched_count
from apps.operations.metrics import register_gauge


def register() -> None:
    register_gauge(
        "usage_backlog", "Usage records that wait to be billed.", lambda: backlog(region=settings.HOME_REGION)
    )
    register_gauge("usage_unmatched", "Accepted usage records that could not be billed. Alert on any.", unmatched_count)
