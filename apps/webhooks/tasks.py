"""Envelopes. What is due stands in Valkey's streams and in PostgreSQL; a lost or repeated ring is harmless."""

from __future__ import annotations

import logging

from celery import current_app, shared_task
from django.conf import settings
from kombu.exceptions import OperationalError

from apps.webhooks.services import collecting, delivering, upkeep

log = logging.getLogger(__name__)

#: Seconds in which a task begins calls: short, so that other work gets its turn between two.
_WORK = 2.0


@shared_task(name="webhooks.collect")
def collect(**_unknown: object) -> None:
    taken = sum(collecting.collect(region=region) for region in settings.VALKEY_URLS)
    if taken:
        _ring()


@shared_task(name="webhooks.deliver")
def deliver(**_unknown: object) -> None:
    if delivering.deliver_due(seconds=_WORK):
        _ring()


@shared_task(name="webhooks.tidy")
def tidy(**_unknown: object) -> None:
    upkeep.ring_for_everything()
    upkeep.forget_old_deliveries()


def _ring() -> None:
    """Best effort: the tick rings every second anyway."""
    try:
        current_app.send_task("webhooks.deliver", expires=5)
    except OperationalError:
        log.warning("ring.failed task=webhooks.deliver")
