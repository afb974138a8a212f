"""What is left: one row per period and meter that the door counts on, and the alerts it gave."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Coalesce

from apps.billing.models.plans import BillingPeriod
from apps.core import clock
from apps.tenants.models import TenantManager, TenantOwned


class Quota(TenantOwned):
    """One meter in one period. used + reserved never passes hard_limit through a reservation.

    used: recorded units (or the largest level). reserved: promised to work under way and not recorded yet.
    watched_percent: the highest alert given. check_at: when the allowance at the data plane is due to be looked at.
    """

    period = models.ForeignKey(BillingPeriod, on_delete=models.CASCADE, related_name="quotas")
    meter = models.CharField(max_length=64)
    used = models.BigIntegerField(default=0)
    reserved = models.BigIntegerField(default=0)
    check_at = models.DateTimeField(null=True)
    included = models.BigIntegerField(default=0)
    hard_limit = models.BigIntegerField(null=True)
    soft_limit = models.BigIntegerField(null=True)
    watched_percent = models.PositiveSmallIntegerField(default=0)

    objects: ClassVar[TenantManager[Quota]] = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "period", "meter"], name="a_period_has_one_quota_per_meter"),
            models.CheckConstraint(
                condition=models.Q(used__gte=0, reserved__gte=0), name="quota_counts_are_not_negative"
            ),
        ]
        indexes: ClassVar = [
            # What the watching tick looks for: quotas with a limit that are half used and not fully alerted.
            models.Index(
                fields=["id"],
                name="quota_to_watch",
                condition=models.Q(watched_percent__lt=100, used__gte=Coalesce("soft_limit", "hard_limit") / 2),
            ),
            models.Index(fields=["check_at"], name="quota_to_check", condition=models.Q(check_at__isnull=False)),
        ]

    @property
    def watched_limit(self) -> int | None:
        """What alerts are measured against."""
        return self.hard_limit if self.soft_limit is None else self.soft_limit


class UsageAlert(TenantOwned):
    """Said once: this meter reached this share of its limit in this period."""

    period = models.ForeignKey(BillingPeriod, on_delete=models.CASCADE, related_name="alerts")
    meter = models.CharField(max_length=64)
    threshold = models.PositiveSmallIntegerField()
    used = models.BigIntegerField()
    hard_limit = models.BigIntegerField()
    raised_at = models.DateTimeField(default=clock.now)

    objects: ClassVar[TenantManager[UsageAlert]] = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "period", "meter", "threshold"], name="an_alert_is_raised_once"),
        ]
