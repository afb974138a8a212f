"""What a tenant gives us to speak to a network with, and the short-lived tokens we make of it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.models import PublicIdModel, TimestampedModel
from apps.tenants.models import Application, TenantManager, TenantOwned


class ProviderCredential(PublicIdModel, TenantOwned, TimestampedModel):
    """A network account of an application. The newest usable one sends; older ones serve what is bound to them.

    values_sealed: JSON object of field values under the tenant's data key. shown: the fields that are no secret.
    paused_at: the network refused it, nothing is sent until somebody resumes it. retired_at: not used for anything.
    expires_at: when the network will refuse it, where a certificate or a person says so. warned_days: how many days
    before that people were last told.
    """

    public_id_prefix: ClassVar[str] = "pcr"

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="+", db_index=False)
    provider = models.CharField(_("delivery route"), max_length=16)
    name = models.CharField(_("name"), max_length=120)
    values_sealed = models.TextField(editable=False)
    shown: models.JSONField[Any, Any] = models.JSONField(default=dict)
    checked_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=64, blank=True, default="")
    last_error_at = models.DateTimeField(null=True)
    paused_at = models.DateTimeField(null=True)
    retired_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    warned_days = models.SmallIntegerField(null=True)

    objects: ClassVar[TenantManager[ProviderCredential]] = TenantManager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "application", "provider", "-id"], name="credential_of_provider")
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=~models.Q(name=""), name="provider_credential_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name


class AccessToken(TenantOwned):
    """A token that all processes share, because the networks count how often one is made.

    subject: what it stands for, as `apns:TEAM:KEY`. renewing_until: somebody makes a new one until then.
    """

    subject = models.CharField(max_length=255)
    token_sealed = models.TextField(editable=False, blank=True, default="")
    issued_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    renewing_until = models.DateTimeField(null=True)

    objects: ClassVar[TenantManager[AccessToken]] = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "subject"], name="a_subject_has_one_token"),
        ]
