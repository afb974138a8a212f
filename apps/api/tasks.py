"""Envelopes of the door's own housekeeping."""

from celery import shared_task

from apps.api.idempotency import forget_expired


@shared_task(name="api.forget_idempotency_keys")
def forget_idempotency_keys(**_unknown: object) -> None:
    forget_expired()
