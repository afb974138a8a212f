"""The import wizard."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.audience.models import ImportJob, Subscriber
from apps.audience.services import imports, intake
from apps.audience.services.intake import continue_import
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope
from tests.dashboard.conftest import member_client
from tests.dashboard.test_audience_subscribers import marketer

__all__ = ["marketer"]

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (imports, intake):
        monkeypatch.setattr(module, "ring", lambda *_arguments: None)


def _upload(client: Client, content: bytes, name: str = "people.csv") -> Any:
    return client.post("/subscribers/import/", {"file": SimpleUploadedFile(name, content)})


_COLUMNS = {"target-0": "external_id", "target-1": "attribute", "name-1": "age", "kind-1": "number"}
_FILE = b"user_id,age\nada,36\nbad one,1\nbob,=x\n"


def _job(tenant: Tenant) -> ImportJob:
    with tenant_scope(tenant):
        return ImportJob.objects.of(tenant).order_by("-pk")[0]


def _work(job: ImportJob) -> None:
    continue_import(tenant_id=job.tenant_id, import_id=job.pk)


def test_a_file_goes_through_the_wizard(marketer: Client, tenant: Tenant) -> None:
    url = _upload(marketer, _FILE, "../../etc/people.csv").url
    page = marketer.get(url).content.decode()
    assert "user_id" in page
    assert "ada" in page

    assert marketer.post(url, _COLUMNS).url == url
    waiting = marketer.get(f"{url}progress/").content.decode()
    assert 'hx-trigger="every 1s"' in waiting
    _work(_job(tenant))

    ended = marketer.get(f"{url}progress/").content.decode()
    assert "hx-trigger" not in ended
    job = _job(tenant)
    assert (job.file_name, job.state, job.rows_count, job.rejected_count) == ("people.csv", "done", 3, 2)
    assert "people.csv" in marketer.get("/subscribers/import/").content.decode()


def test_the_report_names_every_rejected_row_and_is_safe_to_open(marketer: Client, tenant: Tenant) -> None:
    url = _upload(marketer, _FILE + b"\n=cmd|' /C calc'!A0,1\n").url
    marketer.post(url, _COLUMNS)
    _work(_job(tenant))

    content = marketer.get(f"{url}report/").getvalue().decode("utf-8-sig")

    assert list(csv.reader(io.StringIO(content))) == [
        ["line", "column", "reason", "text"],
        ["3", "user_id", "An external id has 1 to 128 letters, digits or - _ = @ , . ;", "bad one,1"],
        ["4", "age", "This is not a number.", "bob,=x"],
        ["6", "user_id", "An external id has 1 to 128 letters, digits or - _ = @ , . ;", "'=cmd|' /C calc'!A0,1"],
    ]


def test_what_was_exported_can_be_imported(marketer: Client, tenant: Tenant, application: Application) -> None:
    from tests.dashboard.test_audience_subscribers import add

    person = {"external_id": "=a", "attributes": {"note": "+1", "age": -5}, "tags": ["@x", "y"], "language": "en"}
    [before] = add(tenant, application, person)
    exported = marketer.get("/subscribers/export/").getvalue()
    with tenant_scope(tenant):
        Subscriber.objects.of(tenant).delete()

    url = _upload(marketer, exported).url
    form = {f"{part}-{n}": column[part] for n, column in enumerate(_job(tenant).columns) for part in column}
    marketer.post(url, form)
    _work(_job(tenant))

    [after] = add(tenant, application)
    assert (after.external_id, after.attributes, after.tags, after.language) == (
        before.external_id, before.attributes, before.tags, before.language,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The file is empty."),
        (b"PK\x03\x04", "This is a spreadsheet."),
        (b"id\ncaf\xe9,\xff", "neither UTF-8 nor GB18030"),
    ],
)
def test_a_bad_file_comes_back_with_its_reason(marketer: Client, content: bytes, sentence: str) -> None:
    response = _upload(marketer, content)

    assert response.status_code == 200
    assert sentence in response.content.decode()


def test_bad_columns_come_back_with_their_reason(marketer: Client, tenant: Tenant) -> None:
    url = _upload(marketer, _FILE).url

    response = marketer.post(url, {"target-0": "attribute", "name-0": "x", "target-1": "ignore"})

    assert "Choose the column that holds the external id." in response.content.decode()
    assert _job(tenant).state == "uploaded"


def test_an_import_can_be_cancelled_once(marketer: Client, tenant: Tenant) -> None:
    url = _upload(marketer, _FILE).url
    marketer.post(url, _COLUMNS)

    assert marketer.post(f"{url}cancel/").status_code == 302
    assert _job(tenant).state == "cancelled"
    assert marketer.post(f"{url}cancel/").status_code == 409


@pytest.mark.parametrize("path", ["", "progress/", "report/", "cancel/"])
def test_another_tenants_import_is_not_found(
    marketer: Client, path: str, other_tenant: Tenant, other_application: Application
) -> None:
    from apps.tenants.permissions import Role

    url = _upload(member_client(other_tenant, Role.MARKETER), _FILE, "secret.csv").url

    answer = marketer.post(f"{url}{path}") if path == "cancel/" else marketer.get(f"{url}{path}")

    assert answer.status_code == 404
    assert _job(other_tenant).state == "uploaded"
    assert "secret.csv" not in marketer.get("/subscribers/import/").content.decode()
