"""Invoices and what hangs on them. A finalised one is frozen by triggers, but for a few columns."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.billing.models.credits import Coupon, CreditGrant
from apps.billing.models.plans import BillingPeriod
from apps.core import clock
from apps.core.models import PublicIdModel, TimestampedModel
from apps.tenants.models import TenantManager, TenantOwned


class InvoiceStatus(models.TextChoices):
    DRAFT = "draft", _("draft")
    DISCARDED = "discarded", _("discarded")
    FINALISED = "finalised", _("finalised")
    VOIDED = "voided", _("voided")


class PaymentStatus(models.TextChoices):
    PENDING = "pending", _("pending")
    PARTIALLY_PAID = "partially_paid", _("partially paid")
    PAID = "paid", _("paid")
    UNCOLLECTIBLE = "uncollectible", _("uncollectible")


class InvoiceCounter(models.Model):
    """The last number of a series. Taking one is the last statement of a transaction: a rollback gives it back."""

    series = models.CharField(max_length=20, unique=True)
    last_number = models.BigIntegerField(default=0)


class Invoice(PublicIdModel, TenantOwned, TimestampedModel):
    """The bill of one cycle. A draft has no lines: what it would say is computed when somebody looks.

    Amounts in minor units: net + tax = total = the posted amounts of lines and taxes. wallet, paid, credited: what
    prepaid credit and payments paid of the total, and what credit notes took back.
    """

    public_id_prefix: ClassVar[str] = "inv"

    status = models.CharField(max_length=10, choices=InvoiceStatus.choices, default=InvoiceStatus.DRAFT)
    payment_status = models.CharField(max_length=16, choices=PaymentStatus.choices, default=PaymentStatus.PENDING)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    #: When the grace is over and the tick finalises it.
    finalise_at = models.DateTimeField()
    currency = models.CharField(max_length=3)
    precise = models.DecimalField(max_digits=38, decimal_places=12, default=0)
    net = models.BigIntegerField(default=0)
    tax = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    wallet = models.BigIntegerField(default=0)
    paid = models.BigIntegerField(default=0)
    credited = models.BigIntegerField(default=0)
    series = models.CharField(max_length=20, blank=True)
    number = models.BigIntegerField(null=True)
    #: Seller and buyer as they were when it was finalised.
    parties_json = models.JSONField(default=dict)
    language = models.CharField(max_length=16, default="en")
    finalised_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    voided_at = models.DateTimeField(null=True)
    void_reason = models.CharField(max_length=300, blank=True)

    objects: ClassVar[TenantManager[Invoice]] = TenantManager()

    class Meta:
        verbose_name = _("invoice")
        verbose_name_plural = _("invoices")
        indexes: ClassVar = [
            models.Index(fields=["tenant", "-id"], name="invoice_of_tenant"),
            models.Index(fields=["finalise_at"], name="invoice_to_finalise", condition=models.Q(status="draft")),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["series", "number"], name="an_invoice_number_is_given_once"),
            models.UniqueConstraint(
                fields=["tenant", "starts_at"],
                condition=~models.Q(status="voided"),
                name="a_cycle_has_one_invoice",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=["finalised", "voided"], number__isnull=False, finalised_at__isnull=False)
                | models.Q(status__in=["draft", "discarded"], number=None),
                name="just_finalised_invoices_have_a_number",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    total=models.F("net") + models.F("tax"),
                    total__gte=models.F("wallet") + models.F("paid"),
                    credited__lte=models.F("total"),
                    wallet__gte=0,
                    paid__gte=0,
                    credited__gte=0,
                ),
                name="an_invoice_adds_up",
            ),
        ]

    def __str__(self) -> str:
        return self.label or self.public_id

    @property
    def label(self) -> str:
        """The number people see, empty for a draft."""
        return "" if self.number is None else f"{self.series}-{self.number:06}"

    @property
    def open_amount(self) -> int:
        """What is still to be paid, in minor units."""
        if self.status != InvoiceStatus.FINALISED:
            return 0
        return max(0, self.total - self.wallet - self.paid - self.credited)


class _OfInvoice(TenantOwned):
    precise = models.DecimalField(max_digits=38, decimal_places=12)
    posted = models.BigIntegerField()

    class Meta:
        abstract = True


class InvoiceLine(_OfInvoice):
    """precise, posted: without tax. due: with tax and discounts, what credit may pay of it.

    period: whose usage it bills; kind "adjustment" is late usage of a cycle that was billed before.
    """

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="lines")
    position = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=16)
    meter = models.CharField(max_length=64, blank=True)
    text = models.CharField(max_length=160, blank=True)
    period = models.ForeignKey(BillingPeriod, null=True, on_delete=models.PROTECT, related_name="+")
    coupon = models.ForeignKey(Coupon, null=True, on_delete=models.PROTECT, related_name="+")
    #: Of a coupon: what it took, as prices say it. Of a charge: the plan's amount before discounts.
    amount = models.DecimalField(max_digits=38, decimal_places=12)
    quantity = models.BigIntegerField(default=1)
    billable = models.BigIntegerField(default=1)
    tax_code = models.CharField(max_length=40, blank=True)
    due = models.BigIntegerField(default=0)

    objects: ClassVar[TenantManager[InvoiceLine]] = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "invoice", "position"], name="invoice_lines_are_ordered"),
        ]


class InvoiceTax(_OfInvoice):
    """One rate of an invoice. base: the discounted net amounts under it."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="taxes")
    code = models.CharField(max_length=40, blank=True)
    name = models.CharField(max_length=80, blank=True)
    percent = models.DecimalField(max_digits=7, decimal_places=4)
    is_inclusive = models.BooleanField(default=False)
    reason = models.CharField(max_length=160, blank=True)
    base = models.DecimalField(max_digits=38, decimal_places=12)

    objects: ClassVar[TenantManager[InvoiceTax]] = TenantManager()


class CreditBurn(TenantOwned):
    """Prepaid credit that paid a line. units: minor units."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="burns")
    line = models.ForeignKey(InvoiceLine, on_delete=models.PROTECT, related_name="+")
    credit = models.ForeignKey(CreditGrant, on_delete=models.PROTECT, related_name="burns")
    units = models.BigIntegerField()

    objects: ClassVar[TenantManager[CreditBurn]] = TenantManager()


class CreditNote(PublicIdModel, TenantOwned):
    """Takes back part of an invoice. precise: with tax; posted amounts of all notes never pass the invoice's."""

    public_id_prefix: ClassVar[str] = "cdn"

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="credit_notes")
    series = models.CharField(max_length=20)
    number = models.BigIntegerField(null=True)
    precise = models.DecimalField(max_digits=38, decimal_places=12)
    total = models.BigIntegerField()
    #: Minor units per part of the invoice: "" for the net amount, else the code of a tax.
    parts_json = models.JSONField(default=dict)
    reason = models.CharField(max_length=300)
    #: The processor's own of the refund it mirrors, empty when no money went back.
    refund_reference = models.CharField(max_length=80, blank=True, db_default="")
    created_at = models.DateTimeField(default=clock.now)

    objects: ClassVar[TenantManager[CreditNote]] = TenantManager()

    class Meta:
        verbose_name = _("credit note")
        verbose_name_plural = _("credit notes")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "refund_reference"],
                condition=~models.Q(refund_reference=""),
                name="a_refund_is_mirrored_once",
            ),
            models.UniqueConstraint(fields=["series", "number"], name="a_credit_note_number_is_given_once"),
        ]

    @property
    def label(self) -> str:
        return "" if self.number is None else f"{self.series}-{self.number:06}"


class Payment(PublicIdModel, TenantOwned):
    """Money received for an invoice. reference: the payer's or processor's own; a repeat of it books nothing."""

    public_id_prefix: ClassVar[str] = "pay"

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="payments")
    method = models.CharField(max_length=32)
    reference = models.CharField(max_length=80)
    amount = models.BigIntegerField()
    received_at = models.DateTimeField(default=clock.now)

    objects: ClassVar[TenantManager[Payment]] = TenantManager()

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "method", "reference"], name="a_payment_is_booked_once"),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="a_payment_moves_money"),
        ]


class DunningStep(TenantOwned):
    """What to do, and when, about an invoice that is not paid."""

    class Action(models.TextChoices):
        COLLECT = "collect", _("collect")
        REMIND = "remind", _("remind")
        RESTRICT = "restrict", _("restrict")
        SUSPEND = "suspend", _("suspend")
        UNCOLLECTIBLE = "uncollectible", _("uncollectible")

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="dunning")
    action = models.CharField(max_length=16, choices=Action.choices)
    due_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    objects: ClassVar[TenantManager[DunningStep]] = TenantManager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["due_at"], name="dunning_due", condition=models.Q(done_at=None)),
        ]
