"""The tables of billing. Usage, periods and quotas belong to a tenant; plans belong to the installation."""

from apps.billing.models.plans import BillingPeriod, Plan, PlanVersion, Subscription
from apps.billing.models.quotas import Quota, UsageAlert
from apps.billing.models.usage import ConnectionLevel, UnmatchedUsage, UsageEvent, UsageKey, UsageRollup, UsageSource

__all__ = [
    "BillingPeriod",
    "ConnectionLevel",
    "Plan",
    "PlanVersion",
    "Quota",
    "Subscription",
    "UnmatchedUsage",
    "UsageAlert",
    "UsageEvent",
    "UsageKey",
    "UsageRollup",
    "UsageSource",
]
