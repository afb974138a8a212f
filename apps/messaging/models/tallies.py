"""Sums of what happened to deliveries, so that results cost the same for ten people and for a million."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from apps.messaging.models.message import Message
from apps.tenants.models import Tenant, TenantManager, TenantOwned

#: What both kinds of sums are told apart by.
DIMENSIONS = ("variant", "route", "language", "hour")


class DeliveryTally(TenantOwned):
    """A part of a message's sums of its ledger. Every slice adds rows and changes none; a tick folds them together.

    kind: planned, suppressed, attempted, or a final state. language: the person's, as written there. hour: in which it
    happened; of what is planned, in which it is due.
    """

    message = models.ForeignKey(
        Message, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    kind = models.CharField(max_length=12)
    reason = models.CharField(max_length=64, blank=True, default="")
    variant = models.CharField(max_length=16, blank=True, default="")
    route = models.CharField(max_length=16, blank=True, default="")
    language = models.CharField(max_length=35, blank=True, default="")
    hour = models.DateTimeField()
    quantity = models.BigIntegerField()
    is_folded = models.BooleanField(default=False, db_default=False)

    objects: ClassVar[TenantManager[DeliveryTally]] = TenantManager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "message"], name="delivery_tally_of_message"),
            models.Index(
                fields=["tenant", "message"], condition=models.Q(is_folded=False), name="delivery_tally_to_fold"
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["message", "kind", "reason", *DIMENSIONS], condition=models.Q(is_folded=True),
                name="one_folded_sum_of_deliveries",
            ),
        ]  # fmt: skip
