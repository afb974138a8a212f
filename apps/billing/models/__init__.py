"""The tables of billing. Usage, periods and quotas belong to a tenant; plans belong to the installation."""

from apps.billing.models.plans import BillingPeriod, Plan, PlanVersion, Subscription
from apps.billing.models.quotas import Quota, UsageAlert
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
    "BillingPeriod",
    "ConnectionLevel",
    "Plan",
    "PlanVersion",
    "Quota",
    "Subscription",
    "TenantMeter",
    "UnmatchedUsage",
    "UsageAlert",
    "UsageEvent",
    "UsageKey",
    "UsageRollup",
    "UsageSource",
    "UsageSubject",
]
