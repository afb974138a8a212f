"""The tables of billing. Usage, periods and quotas belong to a tenant; plans belong to the installation."""

from apps.billing.models.plans import BillingPeriod, Plan, PlanVersion, Subscription
from apps.billing.models.quotas import Quota, UsageAlert
from apps.billing.models.usage import UsageEvent, UsageKey, UsageRollup

__all__ = [
    "BillingPeriod",
    "Plan",
    "PlanVersion",
    "Quota",
    "Subscription",
    "UsageAlert",
    "UsageEvent",
    "UsageKey",
    "UsageRollup",
]
