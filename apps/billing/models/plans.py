"""What may be bought, and who has what: plans of the installation, subscriptions and periods of a tenant."""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Value
from django.utils.translation import gettext_lazy as _

from apps.billing.periods import Span
from apps.billing.pricing import Terms
from apps.core import clock
from apps.core.models import TimestampedModel
from apps.tenants.models import TenantManager, TenantOwned


class Plan(models.Model):
    """A name under which terms are offered. Its terms live in versions."""

    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=80)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        verbose_name = _("plan")
        verbose_name_plural = _("plans")

    def __str__(self) -> str:
        return self.name


class PlanVersion(models.Model):
    """The terms of a plan from some day on. A trigger refuses every change: what was agreed stays as it was."""

    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    #: `Terms.to_json()`.
    terms_json = models.JSONField()
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        verbose_name = _("plan version")
        verbose_name_plural = _("plan versions")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["plan", "number"], name="plan_versions_are_numbered"),
        ]

    def __str__(self) -> str:
        return f"{self.plan} v{self.number}"

    @property
    def terms(self) -> Terms:
        return Terms.from_json(self.terms_json)


class Subscription(TenantOwned, TimestampedModel):
    """The plan a tenant has. Its periods are counted from the anchor's day, in the tenant's zone.

    limits_json: hard limits of this tenant alone, meter -> units or null for none; they go before the plan's.
    own_limits_json: what the tenant set for itself, meter -> {"soft", "hard"}; of two hard limits the tighter binds.
    spend_cap: most that its usage may cost in a period, in minor units.
    """

    plan_version = models.ForeignKey(PlanVersion, on_delete=models.PROTECT, related_name="+")
    anchor_on = models.DateField()
    limits_json = models.JSONField(default=dict)
    own_limits_json = models.JSONField(default=dict)
    spend_cap = models.BigIntegerField(null=True)
    #: When spending was last held against the cap, for its alerts.
    cap_watched_at = models.DateTimeField(null=True)

    objects: ClassVar[TenantManager[Subscription]] = TenantManager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["tenant"], name="a_tenant_has_one_subscription")]


class BillingPeriod(TenantOwned):
    """`[starts_at, ends_at)`, stored when it opens, so that a later change of zone rules does not move it.

    A cycle is what one invoice bills. It is one period, or several after a change of plan; each is rated alone, by its
    plan's terms for the share of the cycle that it is.
    """

    plan_version = models.ForeignKey(PlanVersion, on_delete=models.PROTECT, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    #: Empty when the period is a whole cycle of its own.
    cycle_starts_at = models.DateTimeField(null=True)
    cycle_ends_at = models.DateTimeField(null=True)
    share_numerator = models.BigIntegerField(default=1)
    share_denominator = models.BigIntegerField(default=1)
    #: When its cycle got an invoice.
    invoiced_at = models.DateTimeField(null=True)

    objects: ClassVar[TenantManager[BillingPeriod]] = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(starts_at__lt=F("ends_at")), name="a_period_lasts"),
            # Equal tenants as overlapping one-number ranges: GiST compares numbers only with an extension, ranges
            # without.
            ExclusionConstraint(
                name="periods_of_a_tenant_do_not_overlap",
                expressions=[
                    (Func(F("tenant_id"), F("tenant_id"), Value("[]"), function="int8range"), RangeOperators.OVERLAPS),
                    (
                        Func(F("starts_at"), F("ends_at"), function="tstzrange", output_field=DateTimeRangeField()),
                        RangeOperators.OVERLAPS,
                    ),
                ],
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["tenant", "starts_at"], name="period_of_tenant"),
            # What the month-end tick looks for.
            models.Index(fields=["ends_at"], name="period_to_bill", condition=models.Q(invoiced_at=None)),
        ]

    @property
    def cycle(self) -> Span:
        return Span(self.cycle_starts_at or self.starts_at, self.cycle_ends_at or self.ends_at)

    @property
    def share(self) -> Fraction:
        return Fraction(self.share_numerator, self.share_denominator)

    @property
    def terms(self) -> Terms:
        """The plan's terms for the share of the cycle that this period is."""
        return self.plan_version.terms.prorated(self.share)
