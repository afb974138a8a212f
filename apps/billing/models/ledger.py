"""The books of a tenant: accounts, transactions and entries. Entries of a transaction are zero per currency.

A deferred trigger checks that sum at the commit, and rows are never changed (see the migration `invoices`). A positive
entry is a debit, a negative one a credit; balances are sums of entries.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core import clock
from apps.tenants.models import TenantManager, TenantOwned


class AccountKind(models.TextChoices):
    RECEIVABLE = "receivable"
    WALLET = "wallet"
    REVENUE = "revenue"
    TAX_PAYABLE = "tax_payable"
    CASH = "cash"
    BREAKAGE = "breakage"
    GOODWILL = "goodwill"
    REFUNDS = "refunds"


class LedgerAccount(TenantOwned):
    """reference: which wallet (a credit's number), tax (its code) or cash (how it was paid)."""

    kind = models.CharField(max_length=16, choices=AccountKind.choices)
    currency = models.CharField(max_length=3)
    reference = models.CharField(max_length=64, blank=True)

    objects: ClassVar[TenantManager[LedgerAccount]] = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "kind", "currency", "reference"], name="an_account_is_opened_once"
            ),
        ]


class LedgerTransaction(TenantOwned):
    """operation and operation_id: what it books; a retry books nothing. reverses: what it takes back."""

    operation = models.CharField(max_length=32)
    operation_id = models.CharField(max_length=80)
    at = models.DateTimeField(default=clock.now)
    reverses = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="reversal")

    objects: ClassVar[TenantManager[LedgerTransaction]] = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "operation", "operation_id"], name="an_operation_is_booked_once"),
        ]


class LedgerEntry(TenantOwned):
    """amount: minor units of the currency, a debit above zero, a credit below."""

    transaction = models.ForeignKey(LedgerTransaction, on_delete=models.PROTECT, related_name="entries")
    account = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, related_name="entries", db_index=False)
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField()

    objects: ClassVar[TenantManager[LedgerEntry]] = TenantManager()

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        indexes: ClassVar = [models.Index(fields=["tenant", "account"], name="entry_of_account")]
        constraints: ClassVar = [models.CheckConstraint(condition=~models.Q(amount=0), name="an_entry_moves_something")]
