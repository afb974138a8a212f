"""Receipts: what people did with what reached them, and the sums of it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from apps.audience.models import Subscriber
from apps.messaging.models.ledger import Delivery
from apps.messaging.models.message import Message
from apps.messaging.models.tallies import DIMENSIONS
from apps.messaging.receipts.meaning import Kind
from apps.tenants.models import Application, Tenant, TenantManager, TenantOwned


class Receipt(TenantOwned):
    """One thing that happened to one delivery, once. The key makes a repeat change nothing.

    With a person their name goes from it, by the database itself (migration 0003); what is left is a number in a sum,
    as in the ledger. amount, currency: of a conversion. source: a hash of what was counted, so that the same thing
    counts for one delivery only. button: of a click, the name of the one that was pressed; empty: the message itself.
    """

    pk = models.CompositePrimaryKey("tenant_id", "delivery_id", "kind")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    delivery = models.ForeignKey(
        Delivery, on_delete=models.CASCADE, related_name="receipts", db_index=False, db_constraint=False
    )
    kind = models.CharField(max_length=10)
    message = models.ForeignKey(
        Message, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    subscriber = models.ForeignKey(
        Subscriber, null=True, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    at = models.DateTimeField()
    amount = models.DecimalField(max_digits=16, decimal_places=4, null=True)
    currency = models.CharField(max_length=3, blank=True, default="")
    source = models.CharField(max_length=32, blank=True, default="", db_collation="C")
    button = models.CharField(max_length=16, blank=True, default="", db_default="")

    objects: ClassVar[TenantManager[Receipt]] = TenantManager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "message", "kind"], name="receipt_of_message"),
            # By the person alone: that is what the database asks when a person goes.
            models.Index(fields=["subscriber", "at"], name="receipt_of_person"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "source"], condition=~models.Q(source=""), name="a_conversion_counts_once"
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=[kind.value for kind in Kind]), name="receipt_kind_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(amount=None, currency="")
                | (models.Q(kind=Kind.CONVERTED, amount__gt=0) & ~models.Q(currency="")),
                name="only_a_conversion_has_an_amount",
            ),
        ]


class ReceiptTally(TenantOwned):
    """A part of a message's sums. Every batch of receipts adds rows and changes none, so nothing is contended; a tick
    folds them together. Their sum is always the number of receipts, because both are written in one statement.

    variant, route, language: of the delivery and its person. hour: in which it happened; None: before hours were kept.
    """

    message = models.ForeignKey(
        Message, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    kind = models.CharField(max_length=10)
    currency = models.CharField(max_length=3, blank=True, default="")
    variant = models.CharField(max_length=16, blank=True, default="", db_default="")
    route = models.CharField(max_length=16, blank=True, default="", db_default="")
    language = models.CharField(max_length=35, blank=True, default="", db_default="")
    hour = models.DateTimeField(null=True)
    quantity = models.BigIntegerField()
    amount = models.DecimalField(max_digits=24, decimal_places=4, default=0)
    is_folded = models.BooleanField(default=False, db_default=False)

    objects: ClassVar[TenantManager[ReceiptTally]] = TenantManager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "message"], name="tally_of_message"),
            models.Index(fields=["tenant", "message"], condition=models.Q(is_folded=False), name="tally_to_fold"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["message", "kind", "currency", *DIMENSIONS], condition=models.Q(is_folded=True),
                nulls_distinct=False, name="one_folded_sum_of_receipts",
            ),
        ]  # fmt: skip


class ConversionCursor(TenantOwned):
    """How far an application's events were looked at for conversions: those taken in up to `read_until`."""

    application = models.OneToOneField(Application, on_delete=models.CASCADE, related_name="+")
    read_until = models.DateTimeField()

    objects: ClassVar[TenantManager[ConversionCursor]] = TenantManager()
