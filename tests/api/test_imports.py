"""`/api/v1/imports` and the exports of people."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.api.v1 import imports as door
from apps.audience.models import ImportJob
from apps.audience.services import imports, intake
from apps.audience.services.intake import continue_import
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope
from tests.api.helpers import problem

pytestmark = pytest.mark.django_db

_URL = "/api/v1/imports"


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> Any:
    for module in (imports, intake):
        monkeypatch.setattr(module, "ring", lambda *_arguments: None)


def _work(tenant: Tenant, public_id: str) -> None:
    with tenant_scope(tenant):
        number = ImportJob.objects.of(tenant).access(public_id).pk
    continue_import(tenant_id=tenant.pk, import_id=number)


def _open(api: APIClient, content: bytes, content_type: str) -> dict[str, Any]:
    response = api.generic("POST", f"{_URL}?file_name=people", content, content_type=content_type)
    assert response.status_code == 201, response.content
    answer: dict[str, Any] = json.loads(response.content)
    return answer


def test_a_csv_file_is_opened_started_and_reported(api: APIClient, tenant: Tenant) -> None:
    job = _open(api, b"id,age,alias:crm\nada,36,1\nbob,old,2\n", "text/csv")

    assert [column["target"] for column in job["columns"]] == ["external_id", "attribute", "alias"]
    job["columns"][1]["kind"] = "number"
    started = api.post(f"{_URL}/{job['id']}/start", {"columns": job["columns"]}).json()
    assert started["state"] == "queued"
    _work(tenant, job["id"])

    done = api.get(f"{_URL}/{job['id']}").json()
    assert (done["state"], done["created_count"], done["rejected_count"], done["percent"]) == ("done", 1, 1, 100)
    [rejected] = api.get(f"{_URL}/{job['id']}/rejections").json()["data"]
    assert (rejected["line"], rejected["column"], rejected["code"]) == (3, "age", "not_a_number")
    assert api.get("/api/v1/subscribers/ada").json()["aliases"] == {"crm": "1"}
    assert [one["id"] for one in api.get(_URL).json()["data"]] == [job["id"]]


def test_ndjson_needs_no_columns(api: APIClient, tenant: Tenant) -> None:
    job = _open(api, b'{"external_id": "ada", "tags": ["x"]}\n', "application/x-ndjson")

    api.post(f"{_URL}/{job['id']}/start")
    _work(tenant, job["id"])

    assert api.get("/api/v1/subscribers/ada").json()["tags"] == ["x"]
    assert api.post(f"{_URL}/{job['id']}/cancel").status_code == 409


def test_what_is_no_file_of_people_is_refused(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    problem(api.generic("POST", _URL, b"", content_type="text/csv"), 400, "import_file_invalid")
    problem(api.generic("POST", _URL, b"[1]", content_type="application/x-ndjson"), 400, "import_file_invalid")
    monkeypatch.setattr(door, "MAX_BYTES", 10)
    problem(api.generic("POST", _URL, b"id\n" * 10, content_type="text/csv"), 413, "import_file_too_large")
    assert api.get(_URL).json()["data"] == []


def test_everybody_goes_out_as_ndjson_and_csv(api: APIClient) -> None:
    api.post("/api/v1/subscribers", {"external_id": "ada", "attributes": {"n": 1}, "aliases": {"crm": "7"}})
    api.post("/api/v1/subscribers", {"external_id": "bob", "tags": ["x"]})

    lines = api.get("/api/v1/subscribers/export.ndjson").getvalue().splitlines()
    table = api.get("/api/v1/subscribers/export.csv?tag=x").getvalue().decode("utf-8-sig")

    assert [json.loads(line) for line in lines] == [
        {"external_id": "ada", "attributes": {"n": 1}, "aliases": {"crm": "7"}},
        {"external_id": "bob", "tags": ["x"]},
    ]
    assert [row[0] for row in csv.reader(io.StringIO(table))] == ["external_id", "bob"]


def test_an_export_of_no_known_kind_or_segment_is_refused(api: APIClient) -> None:
    problem(api.get("/api/v1/subscribers/export.xml"), 404, "not_found")
    problem(api.get("/api/v1/subscribers/export.csv?segment_id=seg_x"), 400, "audience_invalid")


def test_a_person_is_found_by_an_alias(api: APIClient) -> None:
    api.post("/api/v1/subscribers", {"external_id": "ada", "aliases": {"crm": "7"}})
    api.post("/api/v1/subscribers", {"external_id": "bob", "aliases": {"shop": "7"}})

    found = api.get("/api/v1/subscribers?alias=crm:7").json()["data"]
    refused = api.post("/api/v1/subscribers", {"external_id": "bob", "aliases": {"crm": "7"}})

    assert [(one["external_id"], one["aliases"]) for one in found] == [("ada", {"crm": "7"})]
    assert problem(refused, 400, "subscriber_invalid")["problem"] == "alias_taken"
