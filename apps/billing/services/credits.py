"""What an operator gives a tenant or asks of it: coupons, prepaid credit, tax rates, address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Sum

from apps.billing.burning import Credit
from apps.billing.errors import BadAmount, BadCredit
from apps.billing.meters import METERS
from apps.billing.models import (
    AccountKind,
    BillingProfile,
    Coupon,
    CreditGrant,
    InvoiceLine,
    InvoiceStatus,
    TaxRate,
)
from apps.billing.money import is_currency
from apps.billing.services.ledger import Account, balances, book, lock_accounts
from apps.billing.statement import Discount, DiscountKind, Tax
from apps.core import clock
from apps.tenants.models import Tenant
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope

_MOST = 500
_PROFILE = ("legal_name", "address", "tax_id", "email", "payment_days")


def profile_of(*, tenant: Tenant) -> BillingProfile:
    """The tenant's billing profile, made when it is first needed."""
    found = BillingProfile.objects.of(tenant).first()
    if found is None:
        BillingProfile.objects.bulk_create([BillingProfile(tenant=tenant)], ignore_conflicts=True)
        found = BillingProfile.objects.of(tenant).get()
    return found


def change_profile(*, tenant: Tenant, taxes: Mapping[str, str] | None = None, **values: Any) -> BillingProfile:
    """values: fields of the profile. taxes: tax code of charges -> code of a TaxRate. Raises BadCredit."""
    if not set(values) <= set(_PROFILE):
        raise BadCredit
    profile = profile_of(tenant=tenant)
    if taxes is not None:
        if TaxRate.objects.filter(code__in=taxes.values()).count() != len(set(taxes.values())):
            raise BadCredit
        values["taxes_json"] = dict(taxes)
    return profile.changed(**values) if values else profile


def taxes_of(profile: BillingProfile) -> dict[str, Tax]:
    """The tenant's rates by tax code of a charge."""
    rates = {rate.code: rate.tax for rate in TaxRate.objects.filter(code__in=profile.taxes_json.values())}
    return {tax_code: rates[code] for tax_code, code in profile.taxes_json.items() if code in rates}


def add_coupon(
    *,
    tenant: Tenant,
    name: str,
    kind: DiscountKind,
    value: Decimal,
    currency: str = "",
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> Coupon:
    """A discount for the cycles that end from starts_at (default: now) until before ends_at. Raises BadCredit."""
    is_percent = kind is DiscountKind.PERCENT
    if value <= 0 or (is_percent and value > 100) or (currency != "" if is_percent else not is_currency(currency)):
        raise BadCredit
    starts_at = starts_at or clock.now()
    return Coupon.objects.create(
        tenant=tenant, name=name, kind=kind, value=value, currency=currency, starts_at=starts_at, ends_at=ends_at
    )


def end_coupon(*, tenant: Tenant, coupon: Coupon) -> Coupon:
    """From now on no cycle that ends gets it; what it gave stays. Raises BadCredit when it has ended."""
    now = clock.now()
    locked = Coupon.objects.of(tenant).filter(pk=coupon.pk).select_for_update().get()
    if locked.ends_at is not None and locked.ends_at <= now:
        raise BadCredit
    locked.ends_at = now
    locked.save(update_fields=["ends_at"])
    return locked


def discounts_for(*, tenant: Tenant, currency: str, ends_at: datetime) -> list[Discount]:
    """What comes off a cycle that ends then, in order of creation. A credit that is used up is left out."""
    coupons = Coupon.objects.of(tenant).filter(starts_at__lte=ends_at, currency__in=["", currency]).order_by("pk")
    valid = [coupon for coupon in coupons if coupon.ends_at is None or ends_at < coupon.ends_at]
    has_credit = any(coupon.kind == DiscountKind.CREDIT for coupon in valid)
    used = _used_of_coupons(tenant) if has_credit else {}
    discounts = [coupon.discount(used=used.get(coupon.pk, Decimal(0))) for coupon in valid]
    return [discount for discount in discounts if discount.value > 0]


def _used_of_coupons(tenant: Tenant) -> dict[int, Decimal]:
    """Number of a coupon that is used up over several invoices -> what they took of it."""
    lines = InvoiceLine.objects.of(tenant).filter(
        coupon__kind=DiscountKind.CREDIT, invoice__status=InvoiceStatus.FINALISED
    )
    sums = lines.values_list("coupon_id").annotate(Sum("amount"))
    return {coupon_id: amount for coupon_id, amount in sums if coupon_id is not None}


def wallet(credit: CreditGrant) -> Account:
    return Account(AccountKind.WALLET, credit.currency, str(credit.pk))


def grant_credit(
    *,
    tenant: Tenant,
    name: str,
    currency: str,
    amount: int,
    paid: bool = True,
    priority: int = 100,
    expires_at: datetime | None = None,
    meters: Sequence[str] = (),
) -> CreditGrant:
    """Prepaid credit of `amount` minor units. paid: the tenant bought it; otherwise it is goodwill.

    Raises BadCredit, BadAmount.
    """
    sound = is_currency(currency) and set(meters) <= set(METERS) and abs(priority) < 10_000
    if not sound or (expires_at is not None and expires_at <= clock.now()):
        raise BadCredit
    if not 0 < amount < 10**15:
        raise BadAmount
    credit = CreditGrant.objects.create(
        tenant=tenant,
        name=name,
        currency=currency,
        amount=amount,
        priority=priority,
        expires_at=expires_at,
        meters_json=list(meters),
        is_paid=paid,
    )
    source = Account(AccountKind.CASH, currency, "credit") if paid else Account(AccountKind.GOODWILL, currency)
    entries = [(source, amount), (wallet(credit), -amount)]
    book(tenant=tenant, operation="grant", operation_id=credit.public_id, entries=entries)
    return credit


def balances_of_credits(*, tenant: Tenant) -> dict[int, int]:
    """Number of a credit -> minor units left."""
    return {int(number): -left for (_, number), left in balances(tenant=tenant, kind=AccountKind.WALLET).items()}


def usable_credits(*, tenant: Tenant, currency: str, hold: bool = False) -> list[Credit]:
    """What may pay an invoice now. hold: nobody else spends it until the end of the transaction."""
    grants = list(CreditGrant.objects.of(tenant).filter(currency=currency, expired_at=None).order_by("pk"))
    now = clock.now()
    grants = [grant for grant in grants if grant.expires_at is None or grant.expires_at > now]
    if hold and grants:
        lock_accounts(tenant=tenant, accounts=[wallet(grant) for grant in grants])
    left = balances_of_credits(tenant=tenant) if grants else {}
    return [
        Credit(
            reference=grant.pk,
            left=left.get(grant.pk, 0),
            priority=grant.priority,
            expires_at=grant.expires_at,
            created_at=grant.created_at,
            meters=tuple(grant.meters_json),
        )
        for grant in grants
        if left.get(grant.pk, 0) > 0
    ]


def expire_credits() -> int:
    """Posts what is left of expired credits to breakage, in all tenants; answers how many had expired."""
    with all_tenants(CrossTenantRole.DISPATCH):
        due = CreditGrant.objects.get_queryset().filter(expired_at=None, expires_at__lte=clock.now())
        found = list(due.order_by("expires_at").values_list("tenant_id", "pk")[:_MOST])
    for tenant_id, number in found:
        with tenant_scope(tenant_id):
            _expire(Tenant.objects.get(pk=tenant_id), number)
    return len(found)


def _expire(tenant: Tenant, number: int) -> None:
    credit = CreditGrant.objects.of(tenant).filter(pk=number, expired_at=None).select_for_update().first()
    if credit is None:  # another worker was first
        return
    lock_accounts(tenant=tenant, accounts=[wallet(credit)])
    left = balances_of_credits(tenant=tenant).get(credit.pk, 0)
    breakage = Account(AccountKind.BREAKAGE, credit.currency)
    entries = [(wallet(credit), left), (breakage, -left)]
    book(tenant=tenant, operation="expire", operation_id=credit.public_id, entries=entries)
    CreditGrant.objects.of(tenant).filter(pk=number).update(expired_at=clock.now())
