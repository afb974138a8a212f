"""Files of people on their way into the audience."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.models import PublicIdModel, TimestampedModel
from apps.tenants.models import Application, TenantManager, TenantOwned


class ImportFormat(models.TextChoices):
    CSV = "csv", "CSV"
    NDJSON = "ndjson", "NDJSON"


class ImportState(models.TextChoices):
    #: The file is here; nobody has said yet to start, and what its columns mean.
    UPLOADED = "uploaded", _("waiting for columns")
    QUEUED = "queued", _("waiting")
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")


IMPORT_ACTIVE = (ImportState.QUEUED, ImportState.RUNNING)
IMPORT_FINAL = (ImportState.DONE, ImportState.FAILED, ImportState.CANCELLED)


class ImportJob(PublicIdModel, TenantOwned, TimestampedModel):
    """A file on its way into the audience. What was taken in and how far the file was read change together.

    format: the columns, header and delimiter are a CSV file's; NDJSON names its own fields.
    offset, line: where the next slice starts. fence: grows with every claim; a slice of an older claim is thrown away.
    wake_at: when somebody should look at the job (again): at once while queued, the end of the lease while running.
    attempts: claims since the last slice that was taken in.
    """

    public_id_prefix: ClassVar[str] = "imp"

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="+", db_index=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    file_name = models.CharField(_("file"), max_length=255)
    size_bytes = models.BigIntegerField(default=0)
    format = models.CharField(max_length=8, choices=ImportFormat.choices, default=ImportFormat.CSV)
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
