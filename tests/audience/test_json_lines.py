"""NDJSON files: their records and offsets, what becomes of bad lines, the way in and the way out again."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.files.base import ContentFile
from hypothesis import given
from hypothesis import strategies as st

from apps.audience.errors import ImportFileInvalid
from apps.audience.exporting import exported_subscribers
from apps.audience.importing import files
from apps.audience.importing.json_lines import JsonReader, json_lines
from apps.audience.importing.records import MAX_RECORD
from apps.audience.models import ImportJob, ImportRejection, Subscriber
from apps.audience.services import imports, intake
from apps.audience.services.imports import open_import, sample_rows, start_import
from apps.audience.services.intake import continue_import
from apps.audience.services.subscribers import upsert_subscribers_in_bulk
from apps.audience.values import SubscriberIn, ValueProblem
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope


def test_lines_are_records_that_know_where_the_next_one_starts() -> None:
    content = b'{"external_id": "a"}\n\n  {"external_id": "b"}\r\n{"external_id": "c"}'

    records = list(json_lines(io.BytesIO(content), offset=0, line=1))

    assert [(record.line, record.end, record.next_line) for record in records] == [(1, 21, 2), (3, 46, 4), (4, 66, 5)]
    for record in records:
        rest = json_lines(io.BytesIO(content), offset=record.end, line=record.next_line)
        assert [one.line for one in rest] == [one.line for one in records if one.line > record.line]


def test_a_line_that_cannot_be_read_costs_that_line_only() -> None:
    content = b'{"external_id": "\xff"}\n' + b"x" * (2 * MAX_RECORD) + b'\n{"external_id": "c"}\n'

    records = list(json_lines(io.BytesIO(content), offset=0, line=1))

    assert [(record.line, record.problem) for record in records] == [(1, "bad_encoding"), (2, "row_too_long"), (3, "")]
    assert records[-1].end == len(content)


@given(st.lists(st.dictionaries(st.text(min_size=1, max_size=5), st.text(max_size=10)), max_size=8), st.booleans())
def test_every_line_comes_back(objects: list[dict[str, str]], ascii_only: bool) -> None:
    content = "\n".join(json.dumps(one, ensure_ascii=ascii_only) for one in objects).encode("utf-8", "surrogatepass")

    records = list(json_lines(io.BytesIO(content), offset=0, line=1))

    readable = [json.loads(record.cells[0]) for record in records if record.cells]
    assert readable == [one for one, record in zip(objects, records, strict=True) if not record.problem]


@pytest.mark.parametrize(
    ("line", "code", "field"),
    [
        ("{", "not_json", ""),
        ("[]", "not_an_object", ""),
        ('"ada"', "not_an_object", ""),
        ('{"attributes": {}}', "external_id_missing", "external_id"),
        ('{"external_id": "a", "age": 3}', "unknown_field", "age"),
        ('{"external_id": "a", "aliases": {"CRM": "1"}}', "alias_label_invalid", "aliases"),
    ],
)
def test_what_is_wrong_with_a_line_is_said(line: str, code: str, field: str) -> None:
    with pytest.raises(ValueProblem) as refused:
        JsonReader().read([line])

    assert (refused.value.code, refused.value.field) == (code, field)


def test_a_line_becomes_a_person() -> None:
    line = '{"external_id": "ada", "attributes": {"plan": null, "n": 1.5}, "tags": ["x"], "aliases": {"crm": "7"}}'

    assert JsonReader().read([line]) == SubscriberIn("ada", {"plan": None, "n": 1.5}, tags=("x",), aliases={"crm": "7"})


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is rung for, and a slice is three rows."""
    for module in (imports, intake):
        monkeypatch.setattr(module, "ring", lambda *_arguments: None)
    monkeypatch.setattr(intake, "SLICE_ROWS", 3)


def _taken_in(tenant: Tenant, application: Application, content: bytes) -> ImportJob:
    job = open_import(tenant=tenant, application=application, upload=ContentFile(content), file_name="people.ndjson")
    assert sample_rows(job=job)
    with tenant_scope(tenant):
        start_import(tenant=tenant, job=job, columns=[])
    continue_import(tenant_id=tenant.pk, import_id=job.pk)
    with tenant_scope(tenant):
        return ImportJob.objects.get(pk=job.pk)


@pytest.mark.django_db
@pytest.mark.usefixtures("quiet")
def test_a_file_is_taken_in_and_its_bad_lines_are_reported(tenant: Tenant, application: Application) -> None:
    lines: list[Any] = [{"external_id": f"p{n}", "attributes": {"n": n}} for n in range(5)]
    lines[2] = {"external_id": "p2", "timezone": "Mars"}

    job = _taken_in(tenant, application, "\n".join(map(json.dumps, lines)).encode())

    assert (job.format, job.state) == ("ndjson", "done")
    assert (job.rows_count, job.created_count, job.updated_count, job.rejected_count) == (5, 4, 0, 1)
    with tenant_scope(tenant):
        [rejection] = ImportRejection.objects.of(tenant)
        people = {one.external_id: one.attributes for one in Subscriber.objects.of(tenant)}
    assert (rejection.line, rejection.column, rejection.reason) == (3, "timezone", "timezone_unknown")
    assert people == {f"p{n}": {"n": n} for n in (0, 1, 3, 4)}


@pytest.mark.django_db
@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("as_csv", [True, False])
def test_an_export_can_be_imported_again(
    tenant: Tenant, application: Application, as_csv: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.audience.exporting._PAGE", 2)
    people: list[object] = [
        {"external_id": "ada", "attributes": {"n": 1, "name": "=Ada"}, "tags": ["a", "b"], "aliases": {"crm": "1"}},
        {"external_id": "bob", "language": "zh-Hans", "timezone": "Asia/Shanghai", "attributes": {"pro": True}},
        {"external_id": "cy"},
    ]
    with tenant_scope(tenant):
        upsert_subscribers_in_bulk(tenant=tenant, application=application, people=people)
    file = "".join(exported_subscribers(tenant=tenant, application=application, filters={}, as_csv=as_csv)).encode()
    before = _everybody(tenant)
    with tenant_scope(tenant):
        Subscriber.objects.of(tenant).delete()

    job = open_import(tenant=tenant, application=application, upload=ContentFile(file), file_name="again")
    with tenant_scope(tenant):
        start_import(tenant=tenant, job=job, columns=[imports.Column.from_json(column) for column in job.columns])
    continue_import(tenant_id=tenant.pk, import_id=job.pk)

    assert len(before) == 3
    assert _everybody(tenant) == before


def _everybody(tenant: Tenant) -> list[tuple[Any, ...]]:
    with tenant_scope(tenant):
        return [
            (one.external_id, one.attributes, one.tags, one.language, one.timezone,
             [(alias.label, alias.value) for alias in one.aliases.all()])
            for one in Subscriber.objects.of(tenant).order_by("external_id")
        ]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'[{"external_id": "a"}]', "json_array"),
        (b'{\n "external_id": "a"\n}', "json_array"),
        ('{"external_id": "张"}'.encode("gb18030"), "json_encoding"),
    ],
)
def test_json_that_is_not_ndjson_is_refused_and_not_kept(
    tenant: Tenant, application: Application, content: bytes, problem: str
) -> None:
    with pytest.raises(ImportFileInvalid) as refused:
        open_import(tenant=tenant, application=application, upload=ContentFile(content), file_name="people.json")

    assert refused.value.details["problem"] == problem
    with tenant_scope(tenant):
        assert not ImportJob.objects.of(tenant).exists()


@pytest.fixture(autouse=True)
def _no_leftovers() -> Any:
    yield
    from django.core.files.storage import default_storage

    for name in default_storage.listdir("imports")[1] if default_storage.exists("imports") else []:
        files.remove(name.removesuffix(".csv"))
