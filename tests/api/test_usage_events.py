"""POST /api/v1/usage/events and the meters they name."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from rest_framework.test import APIClient

from apps.billing.meters import Aggregation
from apps.billing.models import Quota, UsageEvent
from apps.billing.records import UsageRecordIn
from apps.billing.services import create_meter, current_period, record_usage
from apps.billing.services.checking import tellings_of
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 5, 20, 12, tzinfo=UTC)
URL = "/api/v1/usage/events"


@pytest.fixture(autouse=True)
def at_noon() -> Any:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def meters(tenant: Tenant) -> None:
    """One of each way of adding up: `api.sum`, `api.count` …"""
    with tenant_scope(tenant):
        for way in Aggregation:
            create_meter(tenant=tenant, name=f"api.{way}", aggregation=way, title=way.value.title(), unit="call")


def results(api: APIClient, events: list[Any], **options: Any) -> list[str]:
    body = api.post(URL, {"events": events}, **options).json()
    assert len(body["results"]) == len(events)
    return [each["code"] or each["result"] for each in body["results"]]


def used(tenant: Tenant, meter: str, at: datetime = NOON) -> int:
    with tenant_scope(tenant):
        period = current_period(tenant=tenant, at=at)
        return Quota.objects.of(tenant).get(period=period, meter=meter).used


def event(id: str, meter: str = "api.sum", quantity: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": id, "meter": meter, "quantity": quantity, **more}


def test_each_meter_adds_up_in_its_own_way(api: APIClient, tenant: Tenant, meters: None) -> None:
    batch = [
        event(f"{way}{n}", f"api.{way}", n, subject=f"user-{n % 2}", occurred_at=f"2026-05-20T0{n}:00:00Z")
        for way in Aggregation
        for n in (3, 5, 1, 4)
    ]
    assert results(api, batch) == ["new"] * 20
    assert [used(tenant, f"api.{way}") for way in ("sum", "count", "max", "unique", "latest")] == [13, 4, 5, 2, 5]
    with tenant_scope(tenant):
        assert all(telling.agrees for telling in tellings_of(tenant=tenant))


def test_the_latest_is_the_newest_in_whatever_order_it_comes(api: APIClient, tenant: Tenant, meters: None) -> None:
    results(api, [event("b", "api.latest", 7, occurred_at="2026-05-20T10:00:00Z")])
    results(api, [event("a", "api.latest", 2, occurred_at="2026-05-20T09:00:00Z")])
    assert used(tenant, "api.latest") == 7


def test_a_subject_counts_once_a_period_and_again_in_the_next(
    api: APIClient, tenant: Tenant, meters: None, at_noon: Any
) -> None:
    results(api, [event("a", "api.unique", subject="ada"), event("b", "api.unique", subject="ada")])
    at_noon.move_to(NOON + timedelta(days=20))
    results(api, [event("c", "api.unique", subject="ada"), event("d", "api.unique", subject="bob")])
    assert (used(tenant, "api.unique"), used(tenant, "api.unique", NOON + timedelta(days=20))) == (1, 2)
    rows = api.get("/api/v1/usage?from=2026-05-01&to=2026-06-30&meter=api.unique").json()["data"]
    assert [(row["day"], row["quantity"]) for row in rows] == [("2026-05-20", 1), ("2026-06-09", 2)]


def test_a_repeat_is_a_success_and_counts_nothing(api: APIClient, tenant: Tenant, meters: None) -> None:
    assert results(api, [event("a", quantity=3), event("a", quantity=3)]) == ["new", "dup"]
    assert results(api, [event("a", quantity=3, occurred_at="2026-05-19T00:00:00Z")]) == ["dup"]
    assert results(api, [event("a", quantity=4)]) == ["conflict"]
    assert used(tenant, "api.sum") == 3


def test_source_and_id_are_the_identity(api: APIClient, tenant: Tenant, meters: None) -> None:
    batch = [event("a", source="b"), event("a", source=""), event("b:a"), event("a", source="b")]
    assert results(api, batch) == ["new", "new", "new", "dup"]


def test_the_same_id_of_another_application_is_another_event(
    api: APIClient, other_api: APIClient, tenant: Tenant, other_tenant: Tenant, meters: None
) -> None:
    with tenant_scope(other_tenant):
        create_meter(tenant=other_tenant, name="api.sum", aggregation=Aggregation.SUM, title="Calls", unit="call")
    assert results(api, [event("a")]) == ["new"]
    assert results(other_api, [event("a", quantity=9)]) == ["new"]
    assert (used(tenant, "api.sum"), used(other_tenant, "api.sum")) == (1, 9)


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ("text", "not_an_object"),
        (event("a", color="red"), "unknown_field"),
        (event(""), "bad_id"),
        (event("x" * 81), "bad_id"),
        (event("a", source=5), "bad_source"),
        (event("a", "no.such"), "unknown_meter"),
        (event("a", "messages.published"), "reserved_meter"),
        ({"id": "a", "meter": "api.sum", "quantity": 1.5}, "bad_quantity"),
        ({"id": "a", "meter": "api.sum", "quantity": True}, "bad_quantity"),
        (event("a", quantity=-1), "bad_quantity"),
        (event("a", quantity=2**60), "bad_quantity"),
        (event("a", occurred_at="yesterday"), "bad_timestamp"),
        (event("a", occurred_at="2026-05-20T12:00:00"), "timestamp_without_zone"),
        (event("a", occurred_at="2026-05-20T12:06:00Z"), "timestamp_out_of_range"),
        (event("a", occurred_at="2026-04-14T12:00:00Z"), "timestamp_out_of_range"),
        (event("a", "api.unique"), "bad_subject"),
        (event("a", subject="x" * 129), "bad_subject"),
        (event("a", dimensions={"a": 1}), "bad_dimensions"),
        (event("a", dimensions=[]), "bad_dimensions"),
        ({"specversion": "0.3", "id": "a", "source": "b", "type": "api.sum"}, "unknown_specversion"),
        ({"specversion": "1.0", "id": "a", "type": "api.sum"}, "bad_source"),
        ({"specversion": "1.0", "id": "a", "source": "b", "type": "api.sum", "data": "x"}, "bad_data"),
    ],
)
def test_a_bad_event_is_refused_and_its_neighbours_are_counted(
    api: APIClient, tenant: Tenant, meters: None, bad: Any, code: str
) -> None:
    assert results(api, [event("good"), bad, event("fine")]) == ["new", code, "new"]
    assert used(tenant, "api.sum") == 2


def test_cloud_events_are_read_one_by_one_and_in_batches(api: APIClient, tenant: Tenant, meters: None) -> None:
    cloud = {
        "specversion": "1.0", "id": "1", "source": "/crm", "type": "api.sum", "time": "2026-05-20T11:00:00+00:00",
        "data": {"quantity": 4, "dimensions": {"plan": "pro"}}, "datacontenttype": "application/json",
    }  # fmt: skip
    one = api.post(URL, json.dumps(cloud), content_type="application/cloudevents+json")
    assert one.json()["counts"] == {"new": 1}
    many = json.dumps([cloud, {**cloud, "id": "2"}])
    assert api.post(URL, many, content_type="application/cloudevents-batch+json").json()["counts"] == {
        "dup": 1,
        "new": 1,
    }
    assert used(tenant, "api.sum") == 8


def test_an_event_of_a_period_that_is_over_is_late_and_counted_there(
    api: APIClient, tenant: Tenant, meters: None, at_noon: Any
) -> None:
    results(api, [event("a")])
    at_noon.move_to(datetime(2026, 6, 1, 0, 30, tzinfo=UTC))
    assert results(api, [event("b", occurred_at="2026-05-31T23:59:59Z")]) == ["new"]
    at_noon.move_to(datetime(2026, 6, 1, 1, 0, tzinfo=UTC))
    assert results(api, [event("c", occurred_at="2026-05-31T23:59:59Z"), event("d")]) == ["late", "new"]
    assert (used(tenant, "api.sum"), used(tenant, "api.sum", datetime(2026, 6, 1, 2, tzinfo=UTC))) == (3, 1)


def test_too_many_events_are_refused_whole(api: APIClient, tenant: Tenant, meters: None) -> None:
    answer = api.post(URL, {"events": [event(str(n)) for n in range(1_001)]})
    assert (answer.status_code, "events" in answer.json()["errors"]) == (400, True)
    with tenant_scope(tenant):
        assert UsageEvent.objects.of(tenant).count() == 0


def test_meters_are_made_and_listed_and_names_stay_unique(api: APIClient, other_api: APIClient) -> None:
    body = {"name": "api.calls", "aggregation": "sum", "title": "Calls", "unit": "call"}
    assert api.post("/api/v1/usage/meters", body).status_code == 201
    assert [meter["name"] for meter in api.get("/api/v1/usage/meters").json()["data"]] == ["api.calls"]
    assert other_api.get("/api/v1/usage/meters").json()["data"] == []
    for name in ("api.calls", "messages.published", "Api", "a..b", "a b"):
        answer = api.post("/api/v1/usage/meters", {**body, "name": name})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_meter"), name


def test_an_own_meter_is_part_of_the_usage_answer(api: APIClient, tenant: Tenant, meters: None) -> None:
    results(api, [event("a", quantity=6)])
    body = api.get("/api/v1/usage?group_by=meter").json()
    assert {"meter": "api.sum", "quantity": 6} in body["data"]
    assert "api.sum" in [row["meter"] for row in body["period"]["meters"]]


def test_an_unknown_meter_of_the_house_is_unmatched(tenant: Tenant, application: Application) -> None:
    with tenant_scope(tenant):
        record = UsageRecordIn("no.such", "k", 1, NOON)
        assert [outcome.result for outcome in record_usage([record], tenant=tenant)] == ["unmatched"]
