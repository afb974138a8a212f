"""Envelopes of this context's background work."""

from __future__ import annotations

from celery import shared_task

from apps.tenants.services import forget_expired_tokens


@shared_task(name="tenants.forget_expired_tokens")
def forget_expired_oauth_tokens(**_unknown: object) -> None:
    forget_expired_tokens()
