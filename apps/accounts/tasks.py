"""Envelopes of this context's background work."""

from __future__ import annotations

import time

from celery import shared_task

from apps.accounts.services import housekeeping, mail

#: Seconds of work per task.
_WORK = 5.0


@shared_task(name="accounts.deliver_mail")
def deliver_mail(**_unknown: object) -> None:
    """Until nothing is due, or for about so long: the next ring or tick goes on."""
    until = time.monotonic() + _WORK
    while mail.deliver_due_mail() and time.monotonic() < until:
        pass


@shared_task(name="accounts.sweep")
def sweep(**_unknown: object) -> None:
    housekeeping.sweep()
