"""Subscribers and exports in the dashboard."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.db import connection
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext

from apps.audience.models import Subscriber
from apps.audience.services.events import record_events
from apps.audience.services.subscribers import upsert_subscribers_in_bulk
from apps.tenants.models import Application, Tenant
from apps.tenants.permissions import Role
from apps.tenants.scope import tenant_scope
from tests.dashboard.conftest import member_client

pytestmark = pytest.mark.django_db


@pytest.fixture
def marketer(tenant: Tenant, application: Application) -> Client:
    return member_client(tenant, Role.MARKETER)


def add(tenant: Tenant, application: Application, *people: dict[str, Any]) -> list[Subscriber]:
    with tenant_scope(tenant):
        upsert_subscribers_in_bulk(tenant=tenant, application=application, people=people)
        return list(Subscriber.objects.in_application(application).order_by("pk"))


def test_an_empty_list_says_what_to_do_next(marketer: Client) -> None:
    page = marketer.get("/subscribers/").content.decode()

    assert "No subscribers yet" in page
    assert "/subscribers/import/" in page


@pytest.mark.parametrize("path", ["/subscribers/", "/subscribers/import/", "/segments/", "/segments/new/"])
def test_without_an_application_the_page_says_so(tenant: Tenant, path: str) -> None:
    response = member_client(tenant, Role.MARKETER).get(path)

    assert response.templates[0].name == "dashboard/no_application.html"


def test_the_list_is_searched_filtered_and_paged(marketer: Client, tenant: Tenant, application: Application) -> None:
    add(tenant, application, *({"external_id": f"u-{n:03}", "tags": ["odd"] if n % 2 else []} for n in range(60)))

    first = marketer.get("/subscribers/", {"search": "u-"})
    second = marketer.get("/subscribers/", {"search": "u-", "before": first.context["next"]})

    shown = [person.external_id for page in (first, second) for person in page.context["people"]]
    assert shown == [f"u-{n:03}" for n in reversed(range(60))]
    assert second.context["next"] is None
    assert marketer.get("/subscribers/", {"tag": "odd"}).context["total"] == 30
    assert b"Nobody matches" in marketer.get("/subscribers/", {"search": "长"}).content


def test_the_list_needs_as_many_queries_for_one_as_for_many(
    marketer: Client, tenant: Tenant, application: Application
) -> None:
    add(tenant, application, {"external_id": "a", "tags": ["x"]})
    marketer.get("/subscribers/")
    with CaptureQueriesContext(connection) as one:
        marketer.get("/subscribers/")
    add(tenant, application, *({"external_id": f"p{n}", "tags": ["x", "y"]} for n in range(10)))
    with CaptureQueriesContext(connection) as many:
        marketer.get("/subscribers/")

    assert len(many) == len(one)


def test_somebody_is_added_shown_changed_and_deleted(
    marketer: Client, tenant: Tenant, application: Application
) -> None:
    added = marketer.post(
        "/subscribers/new/",
        {
            "external_id": "ada",
            "language": "en",
            "timezone": "Europe/London",
            "tags": "vip, beta",
            "attribute_name": ["plan", "age", "paid", "list", ""],
            "attribute_kind": ["text", "number", "boolean", "json", "text"],
            "attribute_value": ["<b>pro</b>", "36", "True", "[1]", ""],
        },
    )
    [person] = add(tenant, application)
    assert added.url == f"/subscribers/{person.public_id}/"
    assert person.attributes == {"plan": "<b>pro</b>", "age": 36, "paid": True, "list": [1]}
    assert person.tags == ["vip", "beta"]
    page = marketer.get(added.url).content.decode()
    assert "&lt;b&gt;pro&lt;/b&gt;" in page
    assert "<b>pro" not in page

    marketer.post(
        f"{added.url}edit/",
        {"tags": "", "attribute_name": ["age"], "attribute_kind": ["number"], "attribute_value": ["37"]},
    )
    [person] = add(tenant, application)
    assert (person.external_id, person.attributes, person.tags, person.language) == ("ada", {"age": 37}, [], "")

    assert marketer.post(f"{added.url}delete/").url == "/subscribers/"
    assert add(tenant, application) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"external_id": "a b"}, "An external id has"),
        ({"external_id": "n" * 10_000}, "at most 128"),
        ({"external_id": "known"}, "Somebody has this external id already."),
        ({"timezone": "Mars"}, "This is not a time zone name"),
        ({"language": "?"}, "This is not a language tag"),
        ({"tags": "x" * 65}, "Tags are a list"),
        ({"attribute_name": ["a"], "attribute_kind": ["number"], "attribute_value": ["x"]}, "does not have its type"),
        ({"attribute_name": ["a"], "attribute_kind": ["?"], "attribute_value": ["1"]}, "does not have its type"),
        ({"attribute_name": [""], "attribute_kind": ["text"], "attribute_value": ["1"]}, "name has 1 to 64"),
        (
            {"attribute_name": ["a", "a"], "attribute_kind": ["text", "text"], "attribute_value": ["1", "2"]},
            "is there twice",
        ),
    ],
)
def test_a_bad_form_comes_back_with_its_reason(
    marketer: Client, tenant: Tenant, application: Application, changes: dict[str, Any], sentence: str
) -> None:
    add(tenant, application, {"external_id": "known"})

    response = marketer.post("/subscribers/new/", {"external_id": "new", **changes})

    assert response.status_code == 200
    assert sentence in response.content.decode()
    assert [person.external_id for person in add(tenant, application)] == ["known"]


@pytest.mark.parametrize("path", ["", "edit/", "delete/"])
def test_another_tenants_subscriber_is_not_found(
    marketer: Client, path: str, other_tenant: Tenant, other_application: Application
) -> None:
    [theirs] = add(other_tenant, other_application, {"external_id": "secret"})
    url = f"/subscribers/{theirs.public_id}/{path}"

    assert (marketer.post(url) if path == "delete/" else marketer.get(url)).status_code == 404
    assert "secret" not in marketer.get("/subscribers/export/").getvalue().decode()
    assert len(add(other_tenant, other_application)) == 1


def test_an_analyst_reads_and_does_not_write(analyst: Client, tenant: Tenant, application: Application) -> None:
    [person] = add(tenant, application, {"external_id": "ada"})

    assert analyst.get("/subscribers/").status_code == 200
    assert "/subscribers/new/" not in analyst.get("/subscribers/").content.decode()
    for path in ("new/", "import/", f"{person.public_id}/edit/"):
        assert analyst.get(f"/subscribers/{path}").status_code == 403


_PEOPLE = [
    {
        "external_id": "=1-1",
        "attributes": {"note": "=HYPERLINK(1)", "age": -5, "ok": True, "list": ["a"], "text": "line\nbreak, \"q\""},
        "tags": ["+vip", "b"],
    },
    {"external_id": "-plain", "language": "en", "timezone": "UTC"},
]  # fmt: skip


def _rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


_EXPORTED = [
    ["external_id", "language", "timezone", "tags", "age", "list", "note", "ok", "text"],
    ["'-plain", "en", "UTC", "", "", "", "", "", ""],
    ["'=1-1", "", "", "'+vip;b", "-5", '["a"]', "'=HYPERLINK(1)", "true", 'line\nbreak, "q"'],
]


def test_the_export_is_safe_to_open_in_a_spreadsheet(
    marketer: Client, tenant: Tenant, application: Application
) -> None:
    add(tenant, application, *_PEOPLE)

    response = marketer.get("/subscribers/export/")

    assert response["Content-Disposition"] == 'attachment; filename="subscribers.csv"'
    assert _rows(response.getvalue()) == _EXPORTED


def test_the_export_goes_out_in_pages(
    marketer: Client, tenant: Tenant, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.audience import exporting

    monkeypatch.setattr(exporting, "_PAGE", 2)
    add(tenant, application, *({"external_id": f"p{n}", "tags": ["x"] if n else []} for n in range(6)))

    pages = list(marketer.get("/subscribers/export/", {"tag": "x"}).streaming_content)

    assert len(pages) == 4
    assert [row[0] for row in _rows(b"".join(pages))] == ["external_id", "p1", "p2", "p3", "p4", "p5"]


@pytest.mark.django_db(transaction=True)
async def test_the_export_streams_under_asgi_too(tenant: Tenant, application: Application) -> None:
    from asgiref.sync import sync_to_async

    await sync_to_async(add)(tenant, application, *_PEOPLE)
    signed_in = await sync_to_async(member_client)(tenant, Role.MARKETER)
    client = AsyncClient()
    client.cookies = signed_in.cookies

    response = await client.get("/subscribers/export/")

    assert response.is_async
    assert _rows(b"".join([piece async for piece in response.streaming_content])) == _EXPORTED


def test_the_page_of_a_person_shows_events_and_older_ones_on_demand(
    marketer: Client, tenant: Tenant, application: Application
) -> None:
    [person] = add(tenant, application, {"external_id": "ada"})
    with tenant_scope(tenant):
        events = [{"external_id": "ada", "name": f"step {n}", "properties": {"n": n}} for n in range(25)]
        record_events(tenant=tenant, application=application, events=events)

    page = marketer.get(f"/subscribers/{person.public_id}/")
    older = marketer.get(f"/subscribers/{person.public_id}/events/", {"below": page.context["below"]})

    assert [len(answer.context["events"]) for answer in (page, older)] == [20, 5]
    assert b"Show older" in page.content
    assert b"Show older" not in older.content
