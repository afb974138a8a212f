"""A CSV file on its way in: opened, started, taken in slice by slice, interrupted anywhere, tidied up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from apps.audience.errors import (
    ImportColumnsInvalid,
    ImportFileInvalid,
    ImportFileTooLarge,
    ImportNotPossible,
)
from apps.audience.importing import files
from apps.audience.importing.columns import Column
from apps.audience.models import ImportJob, ImportRejection, Subscriber
from apps.audience.services import imports, intake
from apps.audience.services.imports import cancel_import, open_import, sample_rows, start_import
from apps.audience.services.intake import continue_import, wake_imports
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope

pytestmark = pytest.mark.django_db

Counts = tuple[int, int, int, int]


@pytest.fixture(autouse=True)
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The rings that would have gone to the broker."""
    heard: list[tuple[int, int]] = []
    for module in (imports, intake):
        monkeypatch.setattr(module, "ring", lambda tenant_id, job_id: heard.append((tenant_id, job_id)))
    return heard


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "SLICE_ROWS", 3)


@pytest.fixture
def open_file(tenant: Tenant, application: Application) -> Iterator[Callable[[bytes], ImportJob]]:
    def opened(content: bytes) -> ImportJob:
        return open_import(tenant=tenant, application=application, upload=ContentFile(content), file_name="people.csv")

    yield opened
    for name in default_storage.listdir("imports")[1] if default_storage.exists("imports") else []:
        default_storage.delete(f"imports/{name}")


def _start(job: ImportJob, columns: list[Column] | None = None) -> ImportJob:
    with tenant_scope(job.tenant_id):
        return start_import(
            tenant=job.tenant, job=job, columns=columns or [Column.from_json(column) for column in job.columns]
        )


def _run(job: ImportJob) -> ImportJob:
    continue_import(tenant_id=job.tenant_id, import_id=job.pk)
    return _fresh(job)


def _fresh(job: ImportJob) -> ImportJob:
    with tenant_scope(job.tenant_id):
        return ImportJob.objects.get(pk=job.pk)


def _counts(job: ImportJob) -> Counts:
    return job.rows_count, job.created_count, job.updated_count, job.rejected_count


def _people(job: ImportJob) -> dict[str, Any]:
    with tenant_scope(job.tenant_id):
        return {row.external_id: row.attributes for row in Subscriber.objects.of(job.tenant_id)}


def _rejections(job: ImportJob) -> list[tuple[int, str, str]]:
    with tenant_scope(job.tenant_id):
        rows = ImportRejection.objects.of(job.tenant_id).filter(job=job).order_by("line")
        return [(row.line, row.column, row.reason) for row in rows]


def test_a_file_is_opened_with_a_guess(open_file: Callable[[bytes], ImportJob]) -> None:
    job = open_file("\ufeffuser_id;age;名字\r\nada;36;艾达\r\n".encode())

    assert (job.state, job.encoding, job.delimiter, job.header) == (
        "uploaded",
        "utf-8",
        ";",
        ["user_id", "age", "名字"],
    )
    assert job.columns == [
        {"target": "external_id", "name": "", "kind": "text"},
        {"target": "attribute", "name": "age", "kind": "number"},
        {"target": "attribute", "name": "名字", "kind": "text"},
    ]
    assert sample_rows(job=job) == [["ada", "36", "艾达"]]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "empty"),
        (b"PK\x03\x04", "spreadsheet"),
        (b"\xff\xfei\x00d\x00", "utf16"),
        (b"caf\xe9,\xff\n", "encoding"),
        (b'"id\n' * 3, "no_header"),
        (b",".join([b"c"] * 201) + b"\n", "too_many_columns"),
    ],
)
def test_a_file_that_is_no_csv_is_refused_and_not_kept(
    open_file: Callable[[bytes], ImportJob], tenant: Tenant, content: bytes, problem: str
) -> None:
    with pytest.raises(ImportFileInvalid) as refused:
        open_file(content)

    assert refused.value.details == {"problem": problem}
    with tenant_scope(tenant):
        assert not ImportJob.objects.of(tenant).exists()


def test_a_stored_file_is_for_our_eyes_only_and_replaces_a_leftover(open_file: Callable[[bytes], ImportJob]) -> None:
    job = open_file(b"external_id\na\n")
    files.store(job.public_id, ContentFile(b"external_id\nb\n"))

    assert sample_rows(job=job) == [["b"]]
    assert Path(default_storage.path(f"imports/{job.public_id}.csv")).stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_too_large_is_refused(
    open_file: Callable[[bytes], ImportJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 10)

    with pytest.raises(ImportFileTooLarge):
        open_file(b"external_id\n" + b"a\n" * 10)


def test_an_import_creates_updates_and_reports(open_file: Callable[[bytes], ImportJob]) -> None:
    job = open_file(
        b"\xef\xbb\xbfexternal_id,age,timezone\n"
        b"a,1,UTC\n"
        b"b,2,\n"
        b"bad one,3,\n"  # line 4
        b"a,4,\n"  # the same person in the next slice
        b"c,x,\n"  # line 6
        b"d,5,Mars\n"  # line 7
        b'"e\n\nf",6,\n'  # line 8, a line break in an id
        b"g,7\n"  # line 11
        b"\xff,9,\n"  # line 12
        b'"h,8,\n'  # line 13
        b"i\x00,9,\n"  # line 14
        b"j,10,Europe/Paris"
    )
    columns = [Column("external_id"), Column("attribute", "age", "number"), Column("timezone")]

    done = _run(_start(job, columns))

    assert (done.state, done.offset) == ("done", done.size_bytes)
    assert _counts(done) == (12, 3, 1, 8)
    assert _people(done) == {"a": {"age": 4}, "b": {"age": 2}, "j": {"age": 10}}
    assert _rejections(done) == [
        (4, "external_id", "external_id_invalid"),
        (6, "age", "not_a_number"),
        (7, "timezone", "timezone_unknown"),
        (8, "external_id", "external_id_invalid"),
        (11, "", "wrong_number_of_columns"),
        (12, "", "bad_encoding"),
        (13, "", "quote_not_closed"),
        (14, "", "nul_byte"),
    ]


def test_the_original_text_of_a_bad_row_is_kept_in_short(open_file: Callable[[bytes], ImportJob]) -> None:
    job = _run(_start(open_file(b"external_id\n" + b"n" * 10_000 + b"\nb\x00d\n")))

    with tenant_scope(job.tenant_id):
        texts = list(ImportRejection.objects.of(job.tenant_id).order_by("line").values_list("text", flat=True))
    assert texts == ["n" * 1_000, "b�d"]


def test_names_that_come_twice_in_a_slice_are_counted_row_by_row(open_file: Callable[[bytes], ImportJob]) -> None:
    done = _run(_start(open_file(b"external_id,n\na,1\na,2\na,3\na,4\n")))

    assert _counts(done) == (4, 1, 3, 0)
    assert _people(done) == {"a": {"n": 4}}


def test_a_person_the_database_refuses_is_reported(
    open_file: Callable[[bytes], ImportJob], tenant: Tenant, application: Application
) -> None:
    from apps.audience.services.subscribers import upsert_subscriber

    with tenant_scope(tenant):
        person = {"external_id": "a", "attributes": {"big": "x" * 16_000}}
        upsert_subscriber(tenant=tenant, application=application, person=person)

    done = _run(_start(open_file(b"external_id,note\na," + b"y" * 900 + b"\nb,z\na,\n")))

    assert _counts(done) == (3, 1, 0, 2)
    assert _rejections(done) == [(2, "", "attributes_too_large")]


class _Killed(BaseException):
    """Stands for SIGKILL: nothing of the product catches it."""


_ROWS = 20


@pytest.mark.parametrize("where", ["before", "inside", "after"])
@pytest.mark.parametrize("nth", range(1, 8))
def test_a_kill_at_any_commit_loses_and_repeats_nothing(
    open_file: Callable[[bytes], ImportJob], monkeypatch: pytest.MonkeyPatch, where: str, nth: int
) -> None:
    rows = [f"p{n % 15},{n}" if n % 7 else f"bad {n},{n}" for n in range(_ROWS)]
    job = _start(open_file(("external_id,n\n" + "\n".join(rows)).encode()))
    calls = 0
    target = "_keep_rejections" if where == "inside" else "_commit"
    honest = getattr(intake, target)

    def deadly(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if where == "before" and calls == nth:
            raise _Killed
        answer = honest(*arguments)
        if where != "before" and calls == nth:
            raise _Killed
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(intake, target, deadly)
        with pytest.raises(_Killed):
            _run(job)
    assert _run(job).state == "running"  # its lease has not ended: nobody else may go on

    with time_machine.travel(_fresh(job).wake_at + timedelta(seconds=1), tick=False):
        done = _run(job)

    assert done.state == "done"
    expected = {f"p{n % 15}": {"n": n} for n in range(_ROWS) if n % 7}
    assert _people(job) == expected
    assert _counts(done) == (_ROWS, len(expected), _ROWS - len(expected) - 3, 3)
    assert [line for line, _column, _reason in _rejections(job)] == [2, 9, 16]


def test_a_worker_that_lost_its_claim_changes_nothing(
    open_file: Callable[[bytes], ImportJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = _start(open_file(b"external_id\n" + b"".join(b"p%d\n" % n for n in range(9))))
    honest, stolen = intake._commit, False

    def slow(held: ImportJob, piece: intake.Slice) -> bool:
        nonlocal stolen
        if not stolen:
            stolen = True
            with time_machine.travel(held.wake_at + timedelta(minutes=1), tick=False):
                assert _run(job).state == "done"  # meanwhile another worker did all of it
        return honest(held, piece)

    monkeypatch.setattr(intake, "_commit", slow)
    done = _run(job)

    assert (done.state, _counts(done)) == ("done", (9, 9, 0, 0))


def test_a_cancel_stops_after_the_slice_and_removes_the_file(
    open_file: Callable[[bytes], ImportJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = _start(open_file(b"external_id\n" + b"".join(b"p%d\n" % n for n in range(9))))
    honest = intake._commit

    def cancelling(held: ImportJob, piece: intake.Slice) -> bool:
        if piece.start > job.offset:
            with tenant_scope(job.tenant_id):
                cancel_import(tenant=job.tenant, job=job)
        return honest(held, piece)

    monkeypatch.setattr(intake, "_commit", cancelling)
    stopped = _run(job)
    assert (stopped.state, _counts(stopped)) == ("cancelled", (3, 3, 0, 0))
    assert default_storage.exists(f"imports/{job.public_id}.csv")

    _run(job)

    assert not default_storage.exists(f"imports/{job.public_id}.csv")
    with tenant_scope(job.tenant_id), pytest.raises(ImportNotPossible):
        cancel_import(tenant=job.tenant, job=job)


def test_the_file_is_gone_when_the_import_has_ended(open_file: Callable[[bytes], ImportJob]) -> None:
    done = _run(_start(open_file(b"external_id\na\n")))

    assert done.state == "done"
    assert not default_storage.exists(f"imports/{done.public_id}.csv")


def test_rejected_rows_are_kept_thirty_days(open_file: Callable[[bytes], ImportJob]) -> None:
    done = _run(_start(open_file(b"external_id\nbad one\n")))
    assert done.finished_at is not None
    for days, kept in ((29, 1), (31, 0)):
        with time_machine.travel(done.finished_at + timedelta(days=days), tick=False):
            _run(done)
        assert len(_rejections(done)) == kept

    assert (_fresh(done).wake_at, _fresh(done).rejected_count) == (None, 1)


def test_an_import_without_its_file_fails_clearly(open_file: Callable[[bytes], ImportJob]) -> None:
    job = _start(open_file(b"external_id\na\n"))
    files.remove(job.public_id)

    failed = _run(job)

    assert (failed.state, failed.failure) == ("failed", "file_missing")


def test_an_import_that_keeps_dying_is_given_up(
    open_file: Callable[[bytes], ImportJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = _start(open_file(b"external_id\na\n"))

    def broken(*_arguments: Any, **_named: Any) -> Any:
        raise RuntimeError("always")

    with monkeypatch.context() as patched:
        patched.setattr(intake, "merge_subscribers", broken)
        for _attempt in range(intake.MAX_ATTEMPTS):
            later = _fresh(job).wake_at + timedelta(seconds=1)
            with time_machine.travel(later, tick=False), pytest.raises(RuntimeError):
                _run(job)
        with time_machine.travel(_fresh(job).wake_at + timedelta(seconds=1), tick=False):
            failed = _run(job)

    assert (failed.state, failed.failure) == ("failed", "gave_up")


def test_a_task_gives_its_worker_back(
    open_file: Callable[[bytes], ImportJob], monkeypatch: pytest.MonkeyPatch, rung: list[tuple[int, int]]
) -> None:
    monkeypatch.setattr(intake, "BUDGET", -1.0)
    job = _start(open_file(b"external_id\na\nb\nc\nd\n"))

    first = _run(job)

    assert (first.state, first.rows_count) == ("running", 3)
    assert rung == [(job.tenant_id, job.pk)]
    assert _run(job).rows_count == 4


def test_the_sweeper_rings_for_what_is_due(
    open_file: Callable[[bytes], ImportJob], as_worker: None, rung: list[tuple[int, int]]
) -> None:
    waiting = open_file(b"external_id\nz\n")
    assert wake_imports() == 0
    _start(open_file(b"external_id\na\n"))

    assert wake_imports() == 1
    with time_machine.travel(waiting.wake_at + timedelta(seconds=1), tick=False):
        assert wake_imports() == 2
        assert _run(waiting).state == "cancelled"
        assert wake_imports() == 1
    assert not default_storage.exists(f"imports/{waiting.public_id}.csv")


def test_one_import_of_an_application_runs_at_a_time(open_file: Callable[[bytes], ImportJob]) -> None:
    first, second = open_file(b"external_id\na\n"), open_file(b"external_id\nb\n")
    _start(first)

    with pytest.raises(ImportNotPossible):
        _start(second)
    with pytest.raises(ImportNotPossible):
        _start(first)

    _run(first)
    assert _start(second).state == "queued"


@pytest.mark.parametrize("columns", [[Column("attribute", "a")], [Column("external_id"), Column("external_id")]])
def test_columns_without_an_external_id_are_refused(
    open_file: Callable[[bytes], ImportJob], columns: list[Column]
) -> None:
    job = open_file(b"external_id\na\n")

    with pytest.raises(ImportColumnsInvalid):
        _start(job, columns)

    assert _fresh(job).state == "uploaded"


def test_rejections_are_kept_up_to_a_bound_and_counted_beyond_it(
    open_file: Callable[[bytes], ImportJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MAX_REJECTIONS", 4)

    done = _run(_start(open_file(b"external_id\n" + b"bad one\n" * 10)))

    assert _counts(done) == (10, 0, 0, 10)
    assert [line for line, _column, _reason in _rejections(done)] == [2, 3, 4, 5]
