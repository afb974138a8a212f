"""Envelopes."""

from __future__ import annotations

from celery import shared_task

from apps.providers import expiring


@shared_task(name="providers.warn_of_ends")
def warn_of_ends(**_unknown: object) -> None:
    expiring.warn_of_ends()
