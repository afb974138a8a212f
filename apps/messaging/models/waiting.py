"""What push services hold for devices that are away, by the name under which it can be taken back."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from apps.messaging.models.message import Message
from apps.tenants.models import Tenant, TenantManager, TenantOwned


class WaitingPush(TenantOwned):
    """A push that a network took and named. resource: the network's name for it; whoever knows it may withdraw it.

    expires_at: the network has dropped the push by then, or we have forgotten it. The row says nothing about whom the
    push is for, and is deleted when it is withdrawn or expires.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    message = models.ForeignKey(
        Message, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    route = models.CharField(max_length=16)
    resource = models.TextField()
    expires_at = models.DateTimeField()

    objects: ClassVar[TenantManager[WaitingPush]] = TenantManager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "message"], name="waiting_push_of_message"),
            models.Index(fields=["expires_at"], name="waiting_push_by_expiry"),
        ]
