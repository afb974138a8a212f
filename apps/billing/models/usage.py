"""What was used: a key per record for ever-exact deduplication, the raw records, and their sums by the hour.

The three tables are partitioned (see migration 0001), and no foreign key leaves them: they take tens of thousands of
rows a second, and what was billed outlives what it was billed for.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from apps.billing.meters import Aggregation, Meter
from apps.core import clock
from apps.core.models import TimestampedModel
from apps.tenants.models import Tenant, TenantManager, TenantOwned


class _UsageRow(TenantOwned):
    tenant = models.ForeignKey(
        Tenant, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    meter = models.CharField(max_length=64)

    class Meta:
        abstract = True


class UsageKey(_UsageRow):
    """The identity of a record. Partitioned by tenant and never by time.

    With time in the key a retry that carries another timestamp would be a new row, and be billed twice.
    """

    pk = models.CompositePrimaryKey("tenant_id", "meter", "source_key")
    source_key = models.CharField(max_length=200)
    #: Of everything but the timestamp: tells a repeat from two facts under one name.
    payload_hash = models.BinaryField(max_length=16)
    first_seen_on = models.DateField()

    objects: ClassVar[TenantManager[UsageKey]] = TenantManager()

    class Meta:
        db_table = "usage_key"


class UsageEvent(_UsageRow):
    """A record as it was accepted. Partitioned by month of `occurred_at`, dropped by the month."""

    pk = models.CompositePrimaryKey("tenant_id", "meter", "occurred_at", "source_key")
    source_key = models.CharField(max_length=200)
    quantity = models.BigIntegerField()
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(default=clock.now)
    #: Row number of the application; 0 when the record belongs to none.
    application_id = models.BigIntegerField(default=0)
    dimensions = models.JSONField(default=dict)
    subject = models.CharField(max_length=128, default="", db_default="")

    objects: ClassVar[TenantManager[UsageEvent]] = TenantManager()

    class Meta:
        db_table = "usage_event"


class UsageRollup(_UsageRow):
    """The records of one hour (UTC) summed up. It can be rebuilt from the raw records at any time."""

    pk = models.CompositePrimaryKey("tenant_id", "meter", "hour", "application_id", "dimensions_hash")
    hour = models.DateTimeField()
    application_id = models.BigIntegerField(default=0)
    dimensions_hash = models.BinaryField(max_length=16)
    dimensions = models.JSONField(default=dict)
    record_count = models.BigIntegerField()
    total = models.BigIntegerField()
    peak = models.BigIntegerField()

    objects: ClassVar[TenantManager[UsageRollup]] = TenantManager()

    class Meta:
        db_table = "usage_rollup"


class UsageSubject(_UsageRow):
    """Somebody was seen by a meter of different subjects in a period: exact, since a sketch cannot be billed."""

    pk = models.CompositePrimaryKey("tenant_id", "meter", "period_start", "subject")
    period_start = models.DateTimeField()
    subject = models.CharField(max_length=128)

    objects: ClassVar[TenantManager[UsageSubject]] = TenantManager()

    class Meta:
        db_table = "usage_unique"


class TenantMeter(TenantOwned, TimestampedModel):
    """A meter of the tenant's own, for what its applications report. Its name and its way of adding up never change."""

    name = models.CharField(max_length=64)
    aggregation = models.CharField(max_length=8)
    title = models.CharField(max_length=80)
    unit = models.CharField(max_length=40)

    objects: ClassVar[TenantManager[TenantMeter]] = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "name"], name="a_meter_name_is_taken_once"),
            models.CheckConstraint(
                condition=models.Q(aggregation__in=[each.value for each in Aggregation]), name="aggregation_is_known"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def meter(self) -> Meter:
        return Meter(self.name, Aggregation(self.aggregation), self.title, self.unit)


class ConnectionLevel(TenantOwned):
    """Most connections of one gateway to one application in ten seconds. Short-lived: it only serves to be added up."""

    pk = models.CompositePrimaryKey("tenant_id", "bucket", "application_id", "node")
    bucket = models.DateTimeField()
    application_id = models.BigIntegerField()
    node = models.CharField(max_length=64)
    level = models.BigIntegerField()

    objects: ClassVar[TenantManager[ConnectionLevel]] = TenantManager()

    class Meta:
        db_table = "usage_level"


class UsageSource(models.Model):
    """A process that sends numbered records, and how far they are counted. It serves many tenants, so it has none.

    counted_seq: every record up to this one is in. ahead: records beyond it that came early.
    """

    node = models.CharField(max_length=64, primary_key=True)
    counted_seq = models.BigIntegerField(default=0)
    ahead = models.JSONField(default=list)
    updated_at = models.DateTimeField(default=clock.now)


class UnmatchedUsage(models.Model):
    """A record that was accepted and can never be counted. It must stay visible; there should be none."""

    source = models.CharField(max_length=200, unique=True)
    reason = models.CharField(max_length=40)
    record = models.TextField()
    seen_at = models.DateTimeField(default=clock.now)
