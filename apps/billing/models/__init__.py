"""The tables of billing. Plans, tax rates and number counters belong to the installation, the rest to a tenant."""

from apps.billing.models.credits import BillingProfile, Coupon, CreditGrant, TaxRate
from apps.billing.models.invoices import (
    CreditBurn,
    CreditNote,
    DunningStep,
    Invoice,
    InvoiceCounter,
    InvoiceLine,
    InvoiceStatus,
    InvoiceTax,
    Payment,
    PaymentStatus,
)
from apps.billing.models.ledger import AccountKind, LedgerAccount, LedgerEntry, LedgerTransaction
from apps.billing.models.plans import BillingPeriod, Plan, PlanVersion, Subscription
from apps.billing.models.processors import ProcessorNotice
from apps.billing.models.quotas import SPENDING, ApplicationLimit, Quota, Reservation, UsageAlert
from apps.billing.models.refunds import Refund, RefundState
from apps.billing.models.usage import (
    ConnectionLevel,
    TenantMeter,
    UnmatchedUsage,
    UsageEvent,
    UsageKey,
    UsageRollup,
    UsageSource,
    UsageSubject,
)

__all__ = [
    "SPENDING",
    "AccountKind",
    "ApplicationLimit",
    "BillingPeriod",
    "BillingProfile",
    "ConnectionLevel",
    "Coupon",
    "CreditBurn",
    "CreditGrant",
    "CreditNote",
    "DunningStep",
    "Invoice",
    "InvoiceCounter",
    "InvoiceLine",
    "InvoiceStatus",
    "InvoiceTax",
    "LedgerAccount",
    "LedgerEntry",
    "LedgerTransaction",
    "Payment",
    "PaymentStatus",
    "Plan",
    "PlanVersion",
    "ProcessorNotice",
    "Quota",
    "Refund",
    "RefundState",
    "Reservation",
    "Subscription",
    "TaxRate",
    "TenantMeter",
    "UnmatchedUsage",
    "UsageAlert",
    "UsageEvent",
    "UsageKey",
    "UsageRollup",
    "UsageSource",
    "UsageSubject",
]
