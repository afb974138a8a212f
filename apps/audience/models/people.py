"""The people an application talks to, and the groups they fall into."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Func
from django.db.models.functions import Cast
from django.db.models.lookups import Exact, LessThanOrEqual
from django.utils.translation import gettext_lazy as _

from apps.audience import values
from apps.core.errors import NotFound
from apps.core.models import PublicIdModel, TimestampedModel
from apps.tenants.models import Application, TenantManager, TenantOwned, TenantQuerySet


class SubscriberQuerySet(TenantQuerySet["Subscriber"]):
    def in_application(self, application: Application) -> Self:
        return self.of(application.tenant_id).filter(application=application)

    def named(self, external_id: str) -> Subscriber:
        """The subscriber with this external id, or NotFound."""
        row = self.filter(external_id=external_id).first()
        if row is None:
            raise NotFound
        return row

    def starting_with(self, prefix: str) -> Self:
        """By the beginning of the external id, as a range: LIKE is not leakproof, so row-level security would keep it
        from using the index."""
        if not values.is_external_id(prefix):
            return self.none()
        return self.filter(external_id__gte=prefix, external_id__lt=prefix[:-1] + chr(ord(prefix[-1]) + 1))


class SubscriberManager(TenantManager["Subscriber"]):
    queryset_class: ClassVar[type[Any]] = SubscriberQuerySet

    def get_queryset(self) -> SubscriberQuerySet:
        queryset = super().get_queryset()
        assert isinstance(queryset, SubscriberQuerySet)
        return queryset

    def in_application(self, application: Application) -> SubscriberQuerySet:
        return self.get_queryset().in_application(application)


class Subscriber(PublicIdModel, TenantOwned, TimestampedModel):
    """An end user of an application. `external_id` is the tenant's own name for the person and the Pusher user id.

    Written by `services.subscribers` in bulk SQL, which sets updated_at itself. There is no GIN index on attributes or
    tags on purpose: their operators are not leakproof, so under row-level security it could never be used.
    """

    public_id_prefix: ClassVar[str] = "sub"

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="+", db_index=False)
    external_id = models.CharField(_("external id"), max_length=values.MAX_EXTERNAL_ID, db_collation="C")
    attributes = models.JSONField(_("attributes"), default=dict)
    tags = ArrayField(models.TextField(), verbose_name=_("tags"), default=list)
    language = models.CharField(_("language"), max_length=35, blank=True, default="")
    timezone = models.CharField(_("time zone"), max_length=64, blank=True, default="")

    objects: ClassVar[SubscriberManager] = SubscriberManager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "application", "id"], name="subscriber_page"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "application", "external_id"], name="an_external_id_names_one_subscriber"
            ),
            models.CheckConstraint(
                condition=models.Q(external_id__regex=values.EXTERNAL_ID_PATTERN), name="external_id_fits_a_channel"
            ),
            models.CheckConstraint(
                condition=Exact(Func("attributes", function="jsonb_typeof", output_field=models.TextField()), "object"),
                name="attributes_are_an_object",
            ),
            models.CheckConstraint(
                condition=LessThanOrEqual(
                    Func(
                        Cast("attributes", models.TextField()),
                        function="octet_length",
                        output_field=models.IntegerField(),
                    ),
                    4 * values.MAX_ATTRIBUTES_BYTES,
                ),
                name="attributes_are_bounded",
            ),
        ]

    def __str__(self) -> str:
        return self.external_id


class Segment(PublicIdModel, TenantOwned, TimestampedModel):
    """A saved rule tree (see segments.py). Who is in it is asked anew each time."""

    public_id_prefix: ClassVar[str] = "seg"

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(_("name"), max_length=120)
    rules = models.JSONField(_("rules"))

    objects: ClassVar[TenantManager[Segment]] = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "application", "name"], name="a_segment_name_is_taken_once"),
            models.CheckConstraint(condition=~models.Q(name=""), name="segment_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name


class ImportState(models.TextChoices):
    #: The file is here; nobody has said yet what its columns mean.
    UPLOADED = "uploaded", _("waiting for columns")
    QUEUED = "queued", _("waiting")
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")


IMPORT_ACTIVE = (ImportState.QUEUED, ImportState.RUNNING)
IMPORT_FINAL = (ImportState.DONE, ImportState.FAILED, ImportState.CANCELLED)


class ImportJob(PublicIdModel, TenantOwned, TimestampedModel):
    """A CSV file on its way into the audience. What was taken in and how far the file was read change together.

    offset, line: where the next slice starts. fence: grows with every claim; a slice of an older claim is thrown away.
    wake_at: when somebody should look at the job (again): at once while queued, the end of the lease while running.
    attempts: claims since the last slice that was taken in.
    """

    public_id_prefix: ClassVar[str] = "imp"

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="+", db_index=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    file_name = models.CharField(_("file"), max_length=255)
    size_bytes = models.BigIntegerField(default=0)
    encoding = models.CharField(max_length=16, blank=True)
    delimiter = models.CharField(max_length=1, blank=True)
    header = models.JSONField(default=list)
    columns = models.JSONField(default=list)
    state = models.CharField(max_length=16, choices=ImportState.choices, default=ImportState.UPLOADED)
    failure = models.CharField(max_length=32, blank=True)
    offset = models.BigIntegerField(default=0)
    line = models.PositiveIntegerField(default=1)
    rows_count = models.PositiveIntegerField(default=0)
    created_count = models.PositiveIntegerField(default=0)
    updated_count = models.PositiveIntegerField(default=0)
    rejected_count = models.PositiveIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    wake_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects: ClassVar[TenantManager[ImportJob]] = TenantManager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "application", "-id"], name="import_of_application"),
            models.Index(fields=["wake_at"], condition=models.Q(wake_at__isnull=False), name="import_to_wake"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "application"],
                condition=models.Q(state__in=IMPORT_ACTIVE),
                name="one_import_at_a_time",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    rows_count=models.F("created_count") + models.F("updated_count") + models.F("rejected_count")
                ),
                name="every_row_is_counted_once",
            ),
        ]

    @property
    def is_active(self) -> bool:
        return self.state in IMPORT_ACTIVE

    @property
    def percent(self) -> int:
        return 100 if self.state == ImportState.DONE else self.offset * 100 // max(self.size_bytes, 1)


class ImportRejection(TenantOwned):
    """A row that was not taken in. Only the first 10,000 of an import are kept; `rejected_count` counts all."""

    job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, related_name="rejections", db_index=False)
    line = models.PositiveIntegerField()
    column = models.CharField(max_length=80, blank=True)
    reason = models.CharField(max_length=40)
    text = models.TextField(blank=True)

    objects: ClassVar[TenantManager[ImportRejection]] = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "job", "line"], name="a_line_is_rejected_once"),
        ]
