"""Answers kept for repeated requests (reference: draft-ietf-httpapi-idempotency-key-header-07)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from apps.core import clock
from apps.tenants.models import Application, TenantManager, TenantOwned


class IdempotencyRecord(TenantOwned):
    """One request with an Idempotency-Key and what it was answered, committed together with what it did.

    request_hash: SHA-256 of path, query and body. body_sealed: the answer, sealed because it may hold a new secret.
    """

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="+", db_index=False)
    route = models.CharField(max_length=200)
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    body_sealed = models.TextField(blank=True)
    created_at = models.DateTimeField(default=clock.now)
    expires_at = models.DateTimeField(db_index=True)

    objects: ClassVar[TenantManager[IdempotencyRecord]] = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "application", "route", "key"], name="an_idempotency_key_is_used_once"
            ),
        ]
