"""Envelopes. No argument, no payload: which chunk is next stands in PostgreSQL. A lost or repeated ring is harmless."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings

from apps.messaging import upkeep
from apps.messaging.bell import SEND, ring
from apps.messaging.ledger import activity
from apps.messaging.ledger.tallies import fold_tallies
from apps.messaging.receipts.conversions import attribute_conversions
from apps.messaging.receipts.from_sockets import take_socket_receipts
from apps.messaging.sending import pipeline as sending
from apps.messaging.sending.fusing import forget_slices
from apps.messaging.sending.withdrawing import withdraw_pushes
from apps.messaging.services.inbox import sweep_inboxes

#: Seconds of work per task: short, so that ticks and other tenants' work get their turn between two.
_WORK = 2.0


@shared_task(name="messaging.send")
def send(**_unknown: object) -> None:
    if sending.send_due_chunks(seconds=_WORK):
        ring(SEND)


@shared_task(name="messaging.tick")
def tick(**_unknown: object) -> None:
    """Ends what has nothing left and rings for what nobody works on: a lost ring costs a second."""
    upkeep.end_messages()
    for _ in range(upkeep.idle_chunks()):
        ring(SEND)


@shared_task(name="messaging.count_reached")
def count_reached(**_unknown: object) -> None:
    """Tells billing whom the finished chunks reached."""
    activity.count_reached()


@shared_task(name="messaging.fold_tallies")
def fold_tallies_task(**_unknown: object) -> None:
    fold_tallies()
    forget_slices()


@shared_task(name="messaging.take_socket_receipts")
def take_socket_receipts_task(**_unknown: object) -> None:
    for region in settings.VALKEY_URLS:
        take_socket_receipts(region=region)


@shared_task(name="messaging.sweep_inboxes")
def sweep_inboxes_task(**_unknown: object) -> None:
    sweep_inboxes()


@shared_task(name="messaging.attribute_conversions")
def attribute_conversions_task(**_unknown: object) -> None:
    attribute_conversions()


@shared_task(name="messaging.withdraw_pushes")
def withdraw_pushes_task(**_unknown: object) -> None:
    withdraw_pushes()
