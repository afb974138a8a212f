"""An import as its owner sees it: upload, say what the columns are, start, cancel. `intake.py` does the work."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from itertools import islice
from pathlib import PurePath
from typing import Any, BinaryIO, Protocol, cast

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
    RowReader,
    check_columns,
    guess_columns,
)
from apps.audience.importing.detection import FileRefused, detect, detect_delimiter
from apps.audience.importing.json_lines import JsonReader, json_lines
from apps.audience.importing.records import Record, Records
from apps.audience.models import IMPORT_ACTIVE, ImportFormat, ImportJob, ImportState
from apps.audience.values import SubscriberIn
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
    found = detect(binary)
    draft = ImportJob(
        size_bytes=size, format=found.format, encoding=found.encoding, offset=found.start, line=1,
        wake_at=clock.now() + PATIENCE,
    )  # fmt: skip
    if found.format == "csv":
        _read_header(draft, binary)
    return draft


def _read_header(draft: ImportJob, binary: Any) -> None:
    binary.seek(draft.offset)
    delimiter = detect_delimiter(binary.readline(65_536).decode(draft.encoding, "replace"))
    records = Records(binary, encoding=draft.encoding, delimiter=delimiter, offset=draft.offset, line=1)
    header = next(records, None)
    if header is None or not header.cells or not any(cell.strip() for cell in header.cells):
        raise FileRefused("no_header")
    if len(header.cells) > MAX_COLUMNS:
        raise FileRefused("too_many_columns")
    names = [cell.strip()[:200] for cell in header.cells]
    sample = [record.cells for record in islice(records, SAMPLE_ROWS) if record.cells and not record.problem]
    draft.delimiter, draft.header = delimiter, names
    draft.columns = [column.to_json() for column in guess_columns(names, sample)]
    draft.offset, draft.line = header.end, header.next_line


class Reader(Protocol):
    """Turns a record's cells into a person, or raises ValueProblem."""

    def read(self, cells: Sequence[str]) -> SubscriberIn: ...


def reading(job: ImportJob, file: BinaryIO) -> tuple[Iterator[Record], Reader]:
    """The records from where the job stands, and what turns them into people."""
    if job.format == ImportFormat.NDJSON:
        return json_lines(file, offset=job.offset, line=job.line), JsonReader()
    records = Records(file, encoding=job.encoding, delimiter=job.delimiter, offset=job.offset, line=job.line)
    return records, RowReader([Column.from_json(column) for column in job.columns])


def sample_rows(*, job: ImportJob, limit: int = 5) -> list[list[str]]:
    """The first readable rows of a job that has not been started. Empty when the file is gone."""
    try:
        file = files.open_stored(job.public_id)
    except FileNotFoundError:
        return []
    with closing(file):
        records, _reader = reading(job, cast(BinaryIO, file.file))
        width = len(job.header) or 1
        fitting = (record.cells for record in islice(records, 50) if record.cells and len(record.cells) == width)
        return [[cell[:80] for cell in cells] for cells in islice(fitting, limit)]


def start_import(*, tenant: Tenant, job: ImportJob, columns: list[Column]) -> ImportJob:
    """Queues the job. One import of an application runs at a time. Raises ImportColumnsInvalid, ImportNotPossible."""
    assert job.tenant_id == tenant.pk
    try:
        _check_columns_of(job, columns)
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


def _check_columns_of(job: ImportJob, columns: Sequence[Column]) -> None:
    """Raises MappingRefused. The fields of NDJSON have names of their own."""
    if len(columns) != len(job.header):
        raise MappingRefused(_("Say for every column what it holds."))
    if job.format == ImportFormat.CSV:
        check_columns(columns)


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
