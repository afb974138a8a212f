"""What a payment processor told us: each notice once, whatever became of it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core import clock


class ProcessorNotice(models.Model):
    """A notice is kept before it is acted upon. problem: why nothing could be booked; an operator must look.

    It comes before any tenant is known, so it has none.
    """

    processor = models.CharField(_("processor"), max_length=32)
    identity = models.CharField(_("notice"), max_length=120)
    kind = models.CharField(_("kind"), max_length=80)
    reference = models.CharField(_("about"), max_length=120)
    received_at = models.DateTimeField(_("received"), default=clock.now)
    handled_at = models.DateTimeField(_("handled"), null=True)
    problem = models.CharField(_("problem"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("payment processor's notice")
        verbose_name_plural = _("payment processor's notices")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["processor", "identity"], name="a_notice_is_kept_once"),
        ]
