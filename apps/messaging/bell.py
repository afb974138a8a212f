"""Waking workers. Best effort: what is due stands in PostgreSQL, and the ticks ring again every second."""

from __future__ import annotations

import logging

from celery import current_app
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)

SEND, PLAN, START = "messaging.send", "campaigns.plan", "campaigns.tick"
JOURNEY = "campaigns.journey"
#: Seconds after which a ring that nobody heard is dropped, so that queues do not grow while all workers are busy.
_LIVES = 5


def ring(task: str) -> None:
    """Asks any worker to run this task, which takes no arguments."""
    try:
        current_app.send_task(task, expires=_LIVES)
    except OperationalError:
        log.warning("ring.failed task=%s", task)
