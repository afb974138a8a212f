"""What a tenant has in its favour: who is billed and how it is taxed, coupons, prepaid credit."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.billing.statement import Discount, DiscountKind, Tax
from apps.core import clock
from apps.core.models import PublicIdModel, TimestampedModel
from apps.tenants.models import TenantManager, TenantOwned


class TaxRate(models.Model):
    """A rate of the installation. reason: printed where it is 0, such as reverse charge."""

    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=80)
    percent = models.DecimalField(max_digits=7, decimal_places=4)
    is_inclusive = models.BooleanField(_("prices contain it"), default=False)
    reason = models.CharField(_("reason of a rate of 0"), max_length=160, blank=True)

    class Meta:
        verbose_name = _("tax rate")
        verbose_name_plural = _("tax rates")
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(percent__gte=0, percent__lt=1000), name="a_tax_rate_is_sane"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.percent.normalize():f} %"

    @property
    def tax(self) -> Tax:
        return Tax(self.code, self.name, self.percent, self.is_inclusive, self.reason)


class BillingProfile(TenantOwned, TimestampedModel):
    """Who is billed. taxes_json: tax code of a charge -> code of a rate; "" is for every other charge.

    parked_at: since when nothing is finalised for this tenant, because its figures did not agree.
    payer_reference: by which the payment processor knows the tenant and its means of payment.
    """

    legal_name = models.CharField(_("name on invoices"), max_length=160, blank=True)
    address = models.TextField(_("address"), max_length=500, blank=True)
    tax_id = models.CharField(_("tax number"), max_length=40, blank=True)
    email = models.EmailField(_("e-mail for invoices"), blank=True)
    taxes_json = models.JSONField(default=dict)
    payment_days = models.PositiveSmallIntegerField(_("days to pay"), default=14)
    parked_at = models.DateTimeField(null=True)
    parked_reason = models.CharField(max_length=300, blank=True)
    payer_reference = models.CharField(max_length=80, blank=True, db_default="")

    objects: ClassVar[TenantManager[BillingProfile]] = TenantManager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["tenant"], name="a_tenant_has_one_billing_profile")]


class Coupon(PublicIdModel, TenantOwned):
    """A discount of one tenant, valid for cycles that end in `[starts_at, ends_at)`.

    value: percent, or an amount of `currency`: off each invoice (fixed) or used up over several (credit).
    """

    public_id_prefix: ClassVar[str] = "cpn"

    name = models.CharField(_("name"), max_length=80)
    kind = models.CharField(max_length=8, choices=[(kind.value, kind.value) for kind in DiscountKind])
    value = models.DecimalField(max_digits=38, decimal_places=12)
    currency = models.CharField(max_length=3, blank=True)
    starts_at = models.DateTimeField(default=clock.now)
    ends_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects: ClassVar[TenantManager[Coupon]] = TenantManager()

    class Meta:
        verbose_name = _("coupon")
        verbose_name_plural = _("coupons")
        indexes: ClassVar = [models.Index(fields=["tenant", "id"], name="coupon_of_tenant")]
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(value__gt=0), name="a_coupon_is_worth_something"),
            models.CheckConstraint(
                condition=models.Q(kind=DiscountKind.PERCENT, currency="", value__lte=100)
                | (~models.Q(kind=DiscountKind.PERCENT) & ~models.Q(currency="")),
                name="a_coupon_is_a_percentage_or_money",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def discount(self, *, used: object = 0) -> Discount:
        """used: what earlier invoices took of a credit."""
        value = self.value - used if self.kind == DiscountKind.CREDIT else self.value  # type: ignore[operator]
        return Discount(self.name, DiscountKind(self.kind), value, self.pk)


class CreditGrant(PublicIdModel, TenantOwned):
    """Prepaid credit: money on a wallet of its own in the ledger, whose balance is what is left.

    amount: minor units. meters_json: what it pays for, empty for everything. A lower priority goes first.
    paid: bought by the tenant; otherwise given.
    """

    public_id_prefix: ClassVar[str] = "crg"

    name = models.CharField(_("name"), max_length=80)
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    priority = models.SmallIntegerField(default=100)
    meters_json = models.JSONField(default=list)
    is_paid = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    #: When what was left went to breakage.
    expired_at = models.DateTimeField(null=True)

    objects: ClassVar[TenantManager[CreditGrant]] = TenantManager()

    class Meta:
        verbose_name = _("prepaid credit")
        verbose_name_plural = _("prepaid credits")
        indexes: ClassVar = [
            models.Index(fields=["tenant", "id"], name="credit_of_tenant"),
            models.Index(
                fields=["expires_at"],
                name="credit_to_expire",
                condition=models.Q(expired_at=None, expires_at__isnull=False),
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="a_credit_holds_something"),
        ]
