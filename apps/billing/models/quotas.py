"""What is left: one row per period and meter that the door counts on, what is promised of it, the alerts it gave."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Coalesce

from apps.billing.models.plans import BillingPeriod
from apps.core import clock
from apps.core.models import TimestampedModel
from apps.tenants.models import Application, TenantManager, TenantOwned

#: In the place of a meter's name: what the usage of a whole cycle costs.
SPENDING = "spending"


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


class Reservation(TenantOwned):
    """Units of a quota that work under way may still use; the open ones of a quota add up to its `reserved`.

    holder: who gives them back, for example `chunk:17`. expires_at: when the sweep does, should the holder never come
    back.
    """

    quota = models.ForeignKey(Quota, on_delete=models.CASCADE, related_name="reservations")
    application_id = models.BigIntegerField(default=0)
    holder = models.CharField(max_length=64)
    quantity = models.BigIntegerField()
    expires_at = models.DateTimeField()

    objects: ClassVar[TenantManager[Reservation]] = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(quantity__gt=0), name="a_reservation_holds_something"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["tenant", "holder"], name="reservation_of_holder"),
            models.Index(fields=["expires_at"], name="reservation_to_sweep"),
        ]


class ApplicationLimit(TenantOwned, TimestampedModel):
    """Units of a meter that one application may use in a period; the tenant's limits bind beside it.

    watched_percent, watched_from: the highest alert given, and the start of the period it was given in.
    """

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="usage_limits")
    meter = models.CharField(max_length=64)
    soft = models.BigIntegerField(null=True)
    hard = models.BigIntegerField(null=True)
    watched_percent = models.PositiveSmallIntegerField(default=0)
    watched_from = models.DateTimeField(null=True)
    check_at = models.DateTimeField(default=clock.now)

    objects: ClassVar[TenantManager[ApplicationLimit]] = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "application", "meter"], name="an_application_has_one_limit"),
        ]
        indexes: ClassVar = [models.Index(fields=["check_at"], name="application_limit_to_check")]

    @property
    def watched_limit(self) -> int | None:
        """What alerts are measured against."""
        return self.hard if self.soft is None else self.soft


class UsageAlert(TenantOwned):
    """Said once: this meter (of this application, 0 for all) reached this share of its limit in this period.

    Of the cap in money, whose meter is SPENDING, `used` and `hard_limit` are minor units, and the period is the
    cycle's first.
    """

    period = models.ForeignKey(BillingPeriod, on_delete=models.CASCADE, related_name="alerts")
    meter = models.CharField(max_length=64)
    application_id = models.BigIntegerField(default=0, db_default=0)
    threshold = models.PositiveSmallIntegerField()
    used = models.BigIntegerField()
    hard_limit = models.BigIntegerField()
    raised_at = models.DateTimeField(default=clock.now)

    objects: ClassVar[TenantManager[UsageAlert]] = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "period", "meter", "application_id", "threshold"], name="an_alert_is_raised_once"
            ),
        ]
