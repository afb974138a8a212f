"""Envelopes of this context's background work."""

from __future__ import annotations

from celery import shared_task

from apps.accounts.services import housekeeping, mail


@shared_task(name="accounts.deliver_mail")
def deliver_mail(**_unknown: object) -> None:
    mail.deliver_due_mail()


@shared_task(name="accounts.sweep")
def sweep(**_unknown: object) -> None:
    housekeeping.sweep()
