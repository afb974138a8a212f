"""The work of an import: claim the job, take in slice after slice, tidy up.

A slice is read and checked outside any transaction. One short transaction then takes the people in and moves offset
and counts, if and only if the claim still stands (fence) and the job is where the slice began (offset): a kill at any
instant, a second worker or a cancel loses or repeats nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db.models import F

from apps.audience.importing import files
from apps.audience.importing.records import Record
from apps.audience.models import IMPORT_ACTIVE, IMPORT_FINAL, ImportFormat, ImportJob, ImportRejection, ImportState
from apps.audience.services.imports import Reader, reading, ring
from apps.audience.services.merging import Merged, merge_subscribers
from apps.audience.services.subscribers import Batch
from apps.audience.values import ValueProblem
from apps.core import clock
from apps.tenants.models import TenantQuerySet
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope

_log = logging.getLogger(__name__)

SLICE_ROWS, SLICE_BYTES = 5_000, 4 * 1024 * 1024
#: Longer than any slice takes; after a kill somebody else goes on this much later.
LEASE = timedelta(seconds=30)
#: A task gives its worker back after this and rings for the next one, so that one import starves nobody. Seconds.
BUDGET = 15.0
MAX_ATTEMPTS = 5
MAX_REJECTIONS = 10_000
MAX_TEXT = 1_000
#: Rejected rows quote people; they are kept this long after the end.
RETENTION = timedelta(days=30)


@dataclass(slots=True)
class Slice:
    """People of consecutive records, checked and not yet in the database."""

    start: int
    end: int
    next_line: int
    rows: int = 0
    people: Batch = field(default_factory=Batch)
    #: external id -> the record in which it came first, for the case that the database refuses the person.
    first: dict[str, Record] = field(default_factory=dict)
    repeats: dict[str, int] = field(default_factory=dict)
    rejections: list[tuple[Record, ValueProblem]] = field(default_factory=list)


def continue_import(*, tenant_id: int, import_id: int) -> None:
    """Whatever the job needs now: rows taken in, the file removed, nothing. Opens the tenant's scope itself."""
    job = _claim(tenant_id, import_id)
    if job is None:
        _tidy(tenant_id, import_id)
        return
    if job.attempts > MAX_ATTEMPTS:
        _end(job, ImportState.FAILED, "gave_up")
        return
    try:
        file = files.open_stored(job.public_id)
    except FileNotFoundError:
        _end(job, ImportState.FAILED, "file_missing")
        return
    with closing(file):
        finished = _take_in(job, file.file)
    if finished:
        _end(job, ImportState.DONE)


def wake_imports(*, limit: int = 100) -> int:
    """The sweeper: rings for every job whose time has come, those of dead workers included. Returns how many."""
    with all_tenants(CrossTenantRole.DISPATCH):
        due = list(
            ImportJob.objects.filter(wake_at__lte=clock.now())
            .order_by("wake_at")
            .values_list("tenant_id", "pk")[:limit]
        )
    for tenant_id, import_id in due:
        ring(tenant_id, import_id)
    return len(due)


def _claim(tenant_id: int, import_id: int) -> ImportJob | None:
    now = clock.now()
    with tenant_scope(tenant_id):
        jobs = ImportJob.objects.of(tenant_id).filter(pk=import_id)
        claimed = jobs.filter(state__in=IMPORT_ACTIVE, wake_at__lte=now).update(
            state=ImportState.RUNNING,
            fence=F("fence") + 1,
            attempts=F("attempts") + 1,
            wake_at=now + LEASE,
            updated_at=now,
        )
        if not claimed:
            return None
        jobs.filter(started_at=None).update(started_at=now)
        return jobs.select_related("application").get()


def _take_in(job: ImportJob, file: Any) -> bool:
    """Slices until the file ends (True) or the budget, the claim or the job does (False)."""
    records, reader = reading(job, file)
    give_back_at = time.monotonic() + BUDGET
    for piece in _slices(records, reader, job.offset):
        if not _commit(job, piece):
            _log.info("audience.import_stopped import=%s", job.public_id)
            return False
        if time.monotonic() > give_back_at:
            _give_back(job)
            return False
    return True


def _slices(records: Iterator[Record], reader: Reader, offset: int) -> Iterator[Slice]:
    piece = Slice(offset, offset, 0)
    for record in records:
        _read_into(piece, record, reader)
        if piece.rows >= SLICE_ROWS or piece.end - piece.start >= SLICE_BYTES:
            yield piece
            piece = Slice(piece.end, piece.end, piece.next_line)
    if piece.rows:
        yield piece


def _read_into(piece: Slice, record: Record, reader: Reader) -> None:
    piece.rows += 1
    piece.end, piece.next_line = record.end, record.next_line
    try:
        if record.problem or record.cells is None:
            raise ValueProblem(record.problem, "")
        person = reader.read(record.cells)
        if piece.people.add(person):
            piece.first[person.external_id] = record
        else:
            piece.repeats[person.external_id] = piece.repeats.get(person.external_id, 0) + 1
    except ValueProblem as problem:
        piece.rejections.append((record, problem))


def _mine(job: ImportJob) -> TenantQuerySet[ImportJob]:
    """The job as long as this claim of it stands."""
    return ImportJob.objects.of(job.tenant_id).filter(pk=job.pk, fence=job.fence, state=ImportState.RUNNING)


def _commit(job: ImportJob, piece: Slice) -> bool:
    """Everything of a slice or nothing. False when the claim is lost or the job was cancelled."""
    with tenant_scope(job.tenant_id):
        current = _mine(job).filter(offset=piece.start).select_for_update().first()
        if current is None:
            return False
        merged = merge_subscribers(application=job.application, people=piece.people.people)
        created = sum(outcome.merged is Merged.CREATED for outcome in merged.values())
        refused = {name: outcome.problem for name, outcome in merged.items() if outcome.problem is not None}
        rejected = len(piece.rejections) + sum(1 + piece.repeats.get(name, 0) for name in refused)
        piece.rejections += [(piece.first[name], problem) for name, problem in refused.items()]
        _keep_rejections(current, piece)
        current.changed(
            offset=piece.end,
            line=piece.next_line,
            rows_count=current.rows_count + piece.rows,
            created_count=current.created_count + created,
            updated_count=current.updated_count + piece.rows - rejected - created,
            rejected_count=current.rejected_count + rejected,
            attempts=0,
            wake_at=clock.now() + LEASE,
        )
    return True


def _keep_rejections(job: ImportJob, piece: Slice) -> None:
    room = max(0, MAX_REJECTIONS - job.rejected_count)
    ImportRejection.objects.bulk_create(
        ImportRejection(
            tenant_id=job.tenant_id,
            job=job,
            line=record.line,
            column=_column_of(job, problem.field),
            reason=problem.code,
            text=record.raw[: 4 * MAX_TEXT].decode(job.encoding, "replace").replace("\0", "�").strip()[:MAX_TEXT],
        )
        for record, problem in sorted(piece.rejections, key=lambda pair: pair[0].line)[:room]
    )


_PLURALS = {"attribute": "attributes.", "alias": "aliases."}


def _column_of(job: ImportJob, name: str) -> str:
    """The header of the column that fills this field of a subscriber; NDJSON has the field itself."""
    if job.format == ImportFormat.NDJSON:
        return name[:80]
    for header, column in zip(job.header, job.columns, strict=True):
        target = _PLURALS[column["target"]] + column["name"] if column["target"] in _PLURALS else column["target"]
        if target == name:
            return str(header)[:80]
    return ""


def _give_back(job: ImportJob) -> None:
    with tenant_scope(job.tenant_id):
        _mine(job).update(wake_at=clock.now(), updated_at=clock.now())
    ring(job.tenant_id, job.pk)


def _end(job: ImportJob, state: ImportState, failure: str = "") -> None:
    now = clock.now()
    with tenant_scope(job.tenant_id):
        _mine(job).update(state=state, failure=failure, finished_at=now, wake_at=now, updated_at=now)
    _log.info("audience.import_ended import=%s state=%s", job.public_id, state)
    _tidy(job.tenant_id, job.pk)


def _tidy(tenant_id: int, import_id: int) -> None:
    """Ends a job that was never started; removes the file of one that has ended, and later its rejected rows."""
    now = clock.now()
    with tenant_scope(tenant_id):
        jobs = ImportJob.objects.of(tenant_id).filter(pk=import_id, wake_at__lte=now)
        jobs.filter(state=ImportState.UPLOADED).update(state=ImportState.CANCELLED, finished_at=now, updated_at=now)
        job = jobs.filter(state__in=IMPORT_FINAL).first()
    if job is None:
        return
    files.remove(job.public_id)
    keep_until = (job.finished_at or now) + RETENTION
    with tenant_scope(tenant_id):
        if keep_until <= now:
            ImportRejection.objects.of(tenant_id).filter(job=job).delete()
        jobs.update(wake_at=keep_until if keep_until > now else None)
