"""Money that goes back to who paid: wanted with the credit note, asked for at the processor, booked when it is gone."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.billing.models.invoices import CreditNote, Payment
from apps.core import clock
from apps.core.models import PublicIdModel
from apps.tenants.models import TenantManager, TenantOwned


class RefundState(models.TextChoices):
    """WAITING: to be asked for. UNDER_WAY: the processor has it. BY_HAND: an operator transfers it. FAILED: the
    processor refused; it can be tried again. CREDITED: became prepaid credit instead."""

    WAITING = "waiting", _("waiting")
    UNDER_WAY = "under_way", _("under way")
    BY_HAND = "by_hand", _("to be transferred by hand")
    DONE = "done", _("paid back")
    FAILED = "failed", _("failed")
    CREDITED = "credited", _("credited instead")


class Refund(PublicIdModel, TenantOwned):
    """A part of a payment that goes back. amount: minor units of the invoice's currency. tries: the one under way.

    due_at: when the processor is asked next; None when nobody asks.
    """

    public_id_prefix: ClassVar[str] = "rfd"

    note = models.ForeignKey(CreditNote, on_delete=models.PROTECT, related_name="refunds")
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    amount = models.BigIntegerField(_("amount"))
    state = models.CharField(_("state"), max_length=9, choices=RefundState.choices, default=RefundState.WAITING)
    tries = models.PositiveSmallIntegerField(_("tries"), default=1)
    due_at = models.DateTimeField(null=True)
    reference = models.CharField(_("reference"), max_length=80, blank=True)
    problem = models.CharField(_("problem"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("created"), default=clock.now, editable=False)
    ended_at = models.DateTimeField(null=True)

    objects: ClassVar[TenantManager[Refund]] = TenantManager()

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        indexes: ClassVar = [
            models.Index(fields=["due_at"], name="refund_due", condition=models.Q(due_at__isnull=False)),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "note", "payment"], name="a_note_refunds_a_payment_once"),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="a_refund_moves_money"),
        ]
