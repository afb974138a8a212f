"""What may be bought, and who has what: plans of the installation, subscriptions and periods of a tenant."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Value
from django.utils.translation import gettext_lazy as _

from apps.billing.pricing import Terms
from apps.core import clock
from apps.core.models import TimestampedModel
from apps.tenants.models import TenantManager, TenantOwned


class Plan(models.Model):
    """A name under which terms are offered. Its terms live in versions."""

    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=80)
    created_at = models.DateTimeField(default=clock.now, editable=False)

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

    objects: ClassVar[TenantManager[Subscription]] = TenantManager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["tenant"], name="a_tenant_has_one_subscription")]


class BillingPeriod(TenantOwned):
    """`[starts_at, ends_at)`, stored when it opens, so that a later change of zone rules does not move it."""

    plan_version = models.ForeignKey(PlanVersion, on_delete=models.PROTECT, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()

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
        indexes: ClassVar = [models.Index(fields=["tenant", "starts_at"], name="period_of_tenant")]
