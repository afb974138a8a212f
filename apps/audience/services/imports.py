"""An import as its owner sees it: upload, say what the columns are, start, cancel. `intake.py` does the work."""

from __future__ import annotations

import logging
from contextlib import closing
from datetime import timedelta
from itertools import islice
from pathlib import PurePath
from typing import Any

from celery import current_app
from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError

from apps.accounts.models import User
from apps.audience.errors import (
    ImportColumnsInvalid,
    ImportFileInvalid,
    ImportFileTooLarge,
    ImportNotPossible,
)
from apps.audience.importing import files
from apps.audience.importing.columns import (
    MAX_COLUMNS,
    Column,
    MappingRefused,
    check_columns,
    guess_columns,
)
from apps.audience.importing.detection import FileRefused, detect_delimiter, detect_encoding
from apps.audience.importing.records import Records
from apps.audience.models import IMPORT_ACTIVE, ImportJob, ImportState
from apps.core import clock
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope

_log = logging.getLogger(__name__)

#: An upload whose columns nobody named is thrown away after this.
PATIENCE = timedelta(hours=24)
SAMPLE_ROWS = 1_000


def open_import(
    *, tenant: Tenant, application: Application, upload: File[Any], file_name: str, user: User | None = None
) -> ImportJob:
    """Looks at the file, guesses its columns and keeps it for 24 hours. Opens the tenant's scope itself, because a
    large file is read and copied between its transactions.

    Raises ImportFileInvalid and ImportFileTooLarge; then nothing is kept.
    """
    try:
        draft = _examined(upload)
    except FileRefused as refused:
        raise ImportFileInvalid(
            refused.message, fields={"file": [refused.message]}, details={"problem": refused.code}
        ) from refused
    draft.tenant, draft.application, draft.created_by = tenant, application, user
    draft.file_name = PurePath(file_name.replace("\0", "")).name[-255:] or "upload.csv"
    with tenant_scope(tenant):
        draft.save()
    try:
        upload.seek(0)
        files.store(draft.public_id, upload)
    except OSError:
        with tenant_scope(tenant):
            draft.delete()
        raise
    return draft


def _examined(upload: File[Any]) -> ImportJob:
    size = upload.size
    if size > files.MAX_BYTES:
        sentence = FileRefused("too_large").message
        raise ImportFileTooLarge(sentence, fields={"file": [sentence]}, details={"limit": files.MAX_BYTES})
    binary: Any = upload.file
    found = detect_encoding(binary)
    binary.seek(found.start)
    delimiter = detect_delimiter(binary.readline(65_536).decode(found.encoding, "replace"))
    records = Records(binary, encoding=found.encoding, delimiter=delimiter, offset=found.start, line=1)
    header = next(records, None)
    if header is None or not header.cells or not any(cell.strip() for cell in header.cells):
        raise FileRefused("no_header")
    if len(header.cells) > MAX_COLUMNS:
        raise FileRefused("too_many_columns")
    names = [cell.strip()[:200] for cell in header.cells]
    sample = [record.cells for record in islice(records, SAMPLE_ROWS) if record.cells and not record.problem]
    return ImportJob(
        size_bytes=size,
        encoding=found.encoding,
        delimiter=delimiter,
        header=names,
        columns=[column.to_json() for column in guess_columns(names, sample)],
        offset=header.end,
        line=header.next_line,
        wake_at=clock.now() + PATIENCE,
    )


def sample_rows(*, job: ImportJob, limit: int = 5) -> list[list[str]]:
    """The first readable rows of a job that has not been started. Empty when the file is gone."""
    try:
        file = files.open_stored(job.public_id)
    except FileNotFoundError:
        return []
    with closing(file):
        binary: Any = file.file
        records = Records(binary, encoding=job.encoding, delimiter=job.delimiter, offset=job.offset, line=job.line)
        width = len(job.header)
        fitting = (record.cells for record in islice(records, 50) if record.cells and len(record.cells) == width)
        return [[cell[:80] for cell in cells] for cells in islice(fitting, limit)]


def start_import(*, tenant: Tenant, job: ImportJob, columns: list[Column]) -> ImportJob:
    """Queues the job. One import of an application runs at a time. Raises ImportColumnsInvalid, ImportNotPossible."""
    assert job.tenant_id == tenant.pk
    try:
        if len(columns) != len(job.header):
            raise MappingRefused(_("Say for every column what it holds."))
        check_columns(columns)
    except MappingRefused as refused:
        raise ImportColumnsInvalid(
            refused.message, fields={"columns": [refused.message]}, details={"column": refused.column}
        ) from refused
    waiting = ImportJob.objects.of(tenant).filter(pk=job.pk, state=ImportState.UPLOADED)
    try:
        with transaction.atomic():
            queued = waiting.update(
                state=ImportState.QUEUED,
                columns=[column.to_json() for column in columns],
                wake_at=clock.now(),
                updated_at=clock.now(),
            )
    except IntegrityError as error:
        raise ImportNotPossible(_("Another import of this application is running. Wait until it has ended.")) from error
    if not queued:
        raise ImportNotPossible(_("This import was started or cancelled already."))
    transaction.on_commit(lambda: ring(tenant.pk, job.pk))
    return job.refreshed()


def cancel_import(*, tenant: Tenant, job: ImportJob) -> ImportJob:
    """Stops it after the slice that is being taken in. What was taken in stays. Raises ImportNotPossible."""
    now = clock.now()
    stopped = (
        ImportJob.objects.of(tenant)
        .filter(pk=job.pk, state__in=[*IMPORT_ACTIVE, ImportState.UPLOADED])
        .update(state=ImportState.CANCELLED, finished_at=now, wake_at=now, updated_at=now)
    )
    if not stopped:
        raise ImportNotPossible(_("This import has ended already."))
    transaction.on_commit(lambda: ring(tenant.pk, job.pk))
    return job.refreshed()


def ring(tenant_id: int, job_id: int) -> None:
    """Asks a worker to look at the job. Without a broker the sweeper's next tick does it."""
    try:
        current_app.send_task("audience.continue_import", kwargs={"tenant_id": tenant_id, "import_id": job_id})
    except OperationalError:
        _log.warning("audience.ring_unheard import=%s", job_id)
