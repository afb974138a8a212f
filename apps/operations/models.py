"""What operators of the installation did: one append-only hash chain for all of them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core import clock


class OperatorEntry(models.Model):
    """Who changed what from which to which. A trigger refuses every change; each entry carries the hash before it.

    actor: public id of the operator. tenant_reference: public id of the tenant it concerned, empty for none.
    before, after: small JSON of what the change touched, without secrets and floats.
    """

    at = models.DateTimeField(_("when"), default=clock.now)
    actor = models.CharField(max_length=64)
    actor_email = models.EmailField(_("operator"), max_length=254)
    action = models.CharField(_("action"), max_length=80)
    target = models.CharField(_("on what"), max_length=120)
    tenant_reference = models.CharField(_("organisation"), max_length=64, blank=True)
    before = models.JSONField(_("before"), default=dict)
    after = models.JSONField(_("after"), default=dict)
    previous_hash = models.CharField(max_length=64, unique=True)
    hash = models.CharField(max_length=64)

    class Meta:
        verbose_name = _("operator's action")
        verbose_name_plural = _("audit log of operators")
        indexes: ClassVar = [models.Index(fields=["tenant_reference", "-id"], name="operator_entry_of_tenant")]

    def __str__(self) -> str:
        return f"{self.action} {self.target}"
