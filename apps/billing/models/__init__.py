"""The tables of billing. Usage and quotas belong to a tenant; plans belong to the installation."""

from apps.billing.models.usage import UsageEvent, UsageKey, UsageRollup

__all__ = ["UsageEvent", "UsageKey", "UsageRollup"]
