"""Envelopes. No argument, no payload: which chunk is next stands in PostgreSQL. A lost or repeated ring is harmless."""

from __future__ import annotations

import logging

from celery import shared_task
from kombu.exceptions import OperationalError

from apps.messaging import sending, upkeep

log = logging.getLogger(__name__)

#: Seconds of work per task: short, so that ticks and other tenants' work get their turn between two.
_WORK = 2.0
#: Rings that nobody hears in time are dropped, so the queue does not grow while all workers are busy.
_RING_LIVES = 5


@shared_task(name="messaging.send")
def send(**_unknown: object) -> None:
    if sending.send_due_chunks(seconds=_WORK):
        ring()


@shared_task(name="messaging.tick")
def tick(**_unknown: object) -> None:
    """Ends what has nothing left and rings for what nobody works on: a lost ring costs a second."""
    upkeep.end_messages()
    for _ in range(upkeep.idle_chunks()):
        ring()


def ring() -> None:
    """Asks a worker to look. Best effort: the tick rings again."""
    try:
        send.apply_async(expires=_RING_LIVES)
    except OperationalError:
        log.warning("ring.failed task=%s", send.name)
