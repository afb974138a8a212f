"""`/api/v1/subscribers`."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.audience.services.subscribers import upsert_subscribers_in_bulk
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope
from apps.tenants.services import create_api_key

pytestmark = pytest.mark.django_db

_URL = "/api/v1/subscribers"


def _add(tenant: Tenant, application: Application, *people: dict[str, Any]) -> None:
    with tenant_scope(tenant):
        upsert_subscribers_in_bulk(tenant=tenant, application=application, people=people)


def test_post_creates_then_changes(api: APIClient) -> None:
    person = {"external_id": "ada@x.io", "attributes": {"plan": "pro"}, "tags": ["vip"], "timezone": "Asia/Tokyo"}

    first = api.post(_URL, person)
    second = api.post(_URL, {"external_id": "ada@x.io", "language": "ja", "attributes": {"age": 36}})

    assert (first.status_code, second.status_code) == (201, 200)
    answer = second.json()
    assert answer["id"] == first.json()["id"]
    assert {name: answer[name] for name in ("external_id", "attributes", "tags", "language", "timezone")} == {
        "external_id": "ada@x.io",
        "attributes": {"plan": "pro", "age": 36},
        "tags": ["vip"],
        "language": "ja",
        "timezone": "Asia/Tokyo",
    }
    assert api.get(f"{_URL}/ada@x.io").json() == answer


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"external_id": "n" * 10_000}, "external_id"),
        ({"external_id": "a", "timezone": "Mars"}, "timezone"),
        ({"external_id": "a", "name": "x"}, "name"),
        ({"external_id": "a", "attributes": {"x": {"y": {"z": {"z": {"z": {}}}}}}}, "attributes.x"),
        ([], ""),
    ],
)
def test_a_bad_subscriber_is_refused(api: APIClient, body: Any, field: str) -> None:
    response = api.post(_URL, body)

    assert response.status_code == 400
    assert response.json()["code"] == "subscriber_invalid"
    assert list(response.json()["errors"]) == [field]
    assert api.get(_URL).json()["data"] == []


def test_bulk_answers_for_every_item(api: APIClient) -> None:
    api.post(_URL, {"external_id": "known"})
    items = [{"external_id": "new"}, {"external_id": "no way"}, {"external_id": "known", "tags": ["x"]}, 5]

    response = api.post(f"{_URL}/bulk", {"subscribers": items})

    assert response.status_code == 200
    answer = response.json()
    assert answer["counts"] == {"created": 1, "updated": 1, "rejected": 2}
    assert [(item["external_id"], item["status"], item["code"], item["field"]) for item in answer["results"]] == [
        ("new", "created", None, None),
        ("no way", "rejected", "external_id_invalid", "external_id"),
        ("known", "updated", None, None),
        ("", "rejected", "not_an_object", ""),
    ]


@pytest.mark.parametrize("body", [{}, {"subscribers": "x"}, {"subscribers": {}}, {"people": []}])
def test_a_bulk_body_of_another_shape_is_refused(api: APIClient, body: Any) -> None:
    assert api.post(f"{_URL}/bulk", body).status_code == 400


def test_a_bulk_of_more_than_a_thousand_is_refused(api: APIClient) -> None:
    response = api.post(f"{_URL}/bulk", {"subscribers": [{"external_id": str(n)} for n in range(1_001)]})

    assert (response.status_code, response.json()["code"]) == (413, "subscribers_batch_too_large")
    assert api.get(_URL).json()["data"] == []


def test_patch_changes_and_removes(api: APIClient) -> None:
    api.post(_URL, {"external_id": "ada", "attributes": {"a": 1, "b": 2}, "tags": ["x"]})

    response = api.patch(f"{_URL}/ada", {"attributes": {"a": None, "c": 3}, "tags": []})

    assert response.status_code == 200
    assert (response.json()["attributes"], response.json()["tags"]) == ({"b": 2, "c": 3}, [])


@pytest.mark.parametrize("body", [{"external_id": "bob"}, {"tags": "x"}, [1]])
def test_a_bad_patch_changes_nothing(api: APIClient, body: Any) -> None:
    before = api.post(_URL, {"external_id": "ada", "tags": ["x"]}).json()

    assert api.patch(f"{_URL}/ada", body).status_code == 400
    assert api.get(f"{_URL}/ada").json() == before


def test_delete_forgets(api: APIClient) -> None:
    api.post(_URL, {"external_id": "ada"})

    assert api.delete(f"{_URL}/ada").status_code == 204
    assert api.get(f"{_URL}/ada").status_code == 404


def test_the_list_is_searched_and_paged(api: APIClient, tenant: Tenant, application: Application) -> None:
    _add(tenant, application, *({"external_id": f"u-{n}", "tags": ["even"] if n % 2 == 0 else []} for n in range(5)))
    _add(tenant, application, {"external_id": "other"})

    first = api.get(_URL, {"search": "u-", "limit": 3}).json()
    second = api.get(_URL, {"search": "u-", "limit": 3, "cursor": first["next"]}).json()

    found = [item["external_id"] for item in first["data"] + second["data"]]
    assert (sorted(found), second["next"]) == ([f"u-{n}" for n in range(5)], None)
    assert len(api.get(_URL, {"tag": "even"}).json()["data"]) == 3
    assert api.get(_URL, {"search": "长"}).json()["data"] == []
    for unstorable in ({"search": "a\0"}, {"tag": "\0"}):
        assert api.get(_URL, unstorable).status_code == 400


def test_the_list_can_show_a_segment(api: APIClient, tenant: Tenant, application: Application) -> None:
    _add(tenant, application, {"external_id": "a", "language": "en"}, {"external_id": "b", "language": "fr"})
    rules = {"field": "language", "relation": "=", "value": "fr"}
    segment = api.post("/api/v1/segments", {"name": "French", "rules": rules}).json()

    assert [item["external_id"] for item in api.get(_URL, {"segment_id": segment["id"]}).json()["data"]] == ["b"]
    refused = api.get(_URL, {"segment_id": "seg_0000000000000000000000"})
    assert (refused.status_code, refused.json()["code"]) == (400, "audience_invalid")


def test_the_list_needs_as_many_queries_for_one_as_for_many(
    api: APIClient, tenant: Tenant, application: Application
) -> None:
    api.get(_URL)  # the first call of a key notes when it was used
    counts = []
    for start, more in ((0, 1), (1, 9)):
        _add(tenant, application, *({"external_id": f"p{start + n}"} for n in range(more)))
        with CaptureQueriesContext(connection) as queries:
            api.get(_URL)
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_another_tenants_subscriber_is_not_found(
    api: APIClient, method: str, other_tenant: Tenant, other_application: Application
) -> None:
    _add(other_tenant, other_application, {"external_id": "secret", "tags": ["theirs"]})

    response = getattr(api, method)(f"{_URL}/secret")

    assert response.status_code == 404
    assert api.get(_URL).json()["data"] == []
    with tenant_scope(other_tenant):
        from apps.audience.models import Subscriber

        assert Subscriber.objects.in_application(other_application).named("secret").tags == ["theirs"]


def test_another_application_of_the_same_tenant_is_another_world(api: APIClient, tenant: Tenant) -> None:
    from apps.tenants.services import create_application

    with tenant_scope(tenant):
        neighbour = create_application(tenant=tenant, name="Second").application
    _add(tenant, neighbour, {"external_id": "ada"})

    assert api.get(f"{_URL}/ada").status_code == 404
    assert api.post(_URL, {"external_id": "ada"}).status_code == 201


def test_reading_does_not_allow_writing(tenant: Tenant, application: Application) -> None:
    with tenant_scope(tenant):
        token = create_api_key(tenant=tenant, application=application, name="R", scopes={"audience.read"}).token
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")

    assert client.get(_URL).status_code == 200
    assert client.post(_URL, {"external_id": "a"}, format="json").json()["code"] == "scope_missing"
