"""GET /api/v1/usage."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from rest_framework.test import APIClient

from apps.billing.meters import METERS
from apps.billing.records import UsageRecordIn
from apps.billing.services import record_usage, set_plan
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 5, 20, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def at_noon(tenant: Tenant) -> Any:
    with time_machine.travel(NOON, tick=False):
        yield


def use(
    tenant: Tenant,
    quantity: int,
    at: datetime = NOON,
    meter: str = "messages.published",
    application: int | None = None,
) -> None:
    key = f"{meter}:{at}:{application}"
    with tenant_scope(tenant):
        record_usage([UsageRecordIn(meter, key, quantity, at, application)], tenant=tenant)


def test_usage_comes_by_meter_and_day(api: APIClient, tenant: Tenant) -> None:
    use(tenant, 3)
    use(tenant, 4, datetime(2026, 5, 20, 1, tzinfo=UTC))
    use(tenant, 5, datetime(2026, 5, 19, 23, tzinfo=UTC))
    use(tenant, 9, meter="messages.delivered")
    body = api.get("/api/v1/usage?from=2026-05-19&to=2026-05-20&group_by=meter,day").json()
    assert body["data"] == [
        {"meter": "messages.published", "day": "2026-05-19", "quantity": 5},
        {"meter": "messages.delivered", "day": "2026-05-20", "quantity": 9},
        {"meter": "messages.published", "day": "2026-05-20", "quantity": 7},
    ]
    assert body["totals"] == {**dict.fromkeys(METERS, 0), "messages.published": 12, "messages.delivered": 9}
    assert (body["from"], body["to"]) == ("2026-05-19T00:00:00Z", "2026-05-21T00:00:00Z")


def test_without_a_range_it_is_the_running_period_so_far(api: APIClient, tenant: Tenant) -> None:
    use(tenant, 3, datetime(2026, 5, 19, 11, tzinfo=UTC))
    use(tenant, 100, datetime(2026, 4, 30, 23, 59, tzinfo=UTC))
    body = api.get("/api/v1/usage").json()
    assert body["totals"]["messages.published"] == 3
    assert (body["from"], body["to"]) == ("2026-05-01T00:00:00Z", "2026-05-21T00:00:00Z")


def test_the_running_period_tells_limits_what_is_used_and_what_it_cost(api: APIClient, tenant: Tenant) -> None:
    with time_machine.travel(datetime(2026, 5, 1, tzinfo=UTC)), tenant_scope(tenant):
        set_plan(tenant=tenant, code="pay-as-you-go", limits={"campaign.sends": 300_000})
    use(tenant, 200_000, meter="campaign.sends")
    period = api.get("/api/v1/usage").json()["period"]
    assert period["plan"] == "pay-as-you-go"
    assert period["resets_at"] == "2026-06-01T00:00:00Z"
    assert period["cost"] == {"currency": "EUR", "amount": "5.00"}
    assert {
        "meter": "campaign.sends",
        "used": 200_000,
        "reserved": 0,
        "included": 100_000,
        "limit": 300_000,
        "remaining": 100_000,
        "resets_at": "2026-06-01T00:00:00Z",
    } in period["meters"]


def test_days_are_the_tenants_even_when_its_zone_cuts_the_hour(api: APIClient, tenant: Tenant) -> None:
    with tenant_scope(tenant):
        tenant.changed(timezone="Asia/Kathmandu")  # +05:45
    use(tenant, 1, datetime(2026, 5, 19, 18, 10, tzinfo=UTC))
    use(tenant, 2, datetime(2026, 5, 19, 18, 15, tzinfo=UTC))
    body = api.get("/api/v1/usage?from=2026-05-19&to=2026-05-20").json()
    assert [(row["day"], row["quantity"]) for row in body["data"]] == [("2026-05-19", 1), ("2026-05-20", 2)]


def test_a_range_of_instants_is_half_open_and_exact_to_the_second(api: APIClient, tenant: Tenant) -> None:
    use(tenant, 1, datetime(2026, 5, 20, 10, 0, 0, tzinfo=UTC))
    use(tenant, 2, datetime(2026, 5, 20, 10, 29, 59, tzinfo=UTC))
    use(tenant, 4, datetime(2026, 5, 20, 10, 30, 0, tzinfo=UTC))
    answer = api.get("/api/v1/usage?from=2026-05-20T10:00:00Z&to=2026-05-20T12:30:00+02:00&group_by=meter")
    assert answer.json()["data"] == [{"meter": "messages.published", "quantity": 3}]


def test_usage_by_hour_and_application(api: APIClient, tenant: Tenant, application: Application) -> None:
    use(tenant, 1, application=application.pk)
    use(tenant, 2)
    url = "/api/v1/usage?from=2026-05-20&to=2026-05-20&group_by=hour,application"
    assert api.get(url).json()["data"] == [
        {"meter": "messages.published", "hour": "2026-05-20T12:00:00Z", "application": None, "quantity": 2},
        {
            "meter": "messages.published",
            "hour": "2026-05-20T12:00:00Z",
            "application": application.application_id,
            "quantity": 1,
        },
    ]
    only = api.get(f"{url}&application={application.application_id}&meter=messages.published").json()
    assert only["totals"] == {"messages.published": 1}


def test_usage_by_campaign_and_day(api: APIClient, other_api: APIClient, tenant: Tenant) -> None:
    with tenant_scope(tenant):
        for campaign, quantity in (("cmp_a", 5), ("cmp_b", 7), ("", 11)):
            dimensions = {"campaign": campaign} if campaign else {}
            record = UsageRecordIn("campaign.sends", f"k:{campaign}", quantity, NOON, dimensions=dimensions)
            record_usage([record], tenant=tenant)
    url = "/api/v1/usage?from=2026-05-20&to=2026-05-20&group_by=campaign,day"
    row = {"meter": "campaign.sends", "day": "2026-05-20"}
    assert api.get(url).json()["data"] == [
        {**row, "campaign": None, "quantity": 11},
        {**row, "campaign": "cmp_a", "quantity": 5},
        {**row, "campaign": "cmp_b", "quantity": 7},
    ]
    only = api.get(f"{url}&campaign=cmp_b").json()
    assert (only["data"], only["totals"]["campaign.sends"]) == ([{**row, "campaign": "cmp_b", "quantity": 7}], 7)
    assert other_api.get(f"{url}&campaign=cmp_b").json()["data"] == []


def test_a_peak_is_the_largest_level_and_not_a_sum(api: APIClient, tenant: Tenant) -> None:
    use(tenant, 5, meter="connections.peak")
    use(tenant, 8, datetime(2026, 5, 20, 11, tzinfo=UTC), meter="connections.peak")
    body = api.get("/api/v1/usage?from=2026-05-20&to=2026-05-20").json()
    assert body["totals"]["connections.peak"] == 8


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("from=yesterday", "bad_range", "from"),
        ("from=2026-02-30", "bad_range", "from"),
        ("from=0001-01-01", "bad_range", "from"),
        ("to=9999-12-31", "bad_range", "to"),
        ("from=2026-05-20T10:00:00", "bad_range", "from"),
        ("from=2026-05-20&to=2026-05-19", "bad_range", "to"),
        ("from=2020-01-01&to=2026-05-19", "bad_range", "from"),
        ("from=2026-01-01&to=2026-05-19&group_by=hour", "bad_range", "from"),
        ("group_by=colour", "invalid_input", "group_by"),
        ("group_by=day,hour", "invalid_input", "group_by"),
        ("meter=messages.dreamt", "invalid_input", "meter"),
    ],
)
def test_a_bad_question_gets_a_clear_answer(api: APIClient, query: str, code: str, field: str) -> None:
    answer = api.get(f"/api/v1/usage?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert list(answer.json()["errors"]) == [field]


def test_a_neighbours_usage_and_application_are_not_ours_to_see(
    api: APIClient, other_api: APIClient, tenant: Tenant, other_tenant: Tenant, application: Application
) -> None:
    use(tenant, 7, application=application.pk)
    assert api.get("/api/v1/usage").json()["totals"]["messages.published"] == 7
    assert other_api.get("/api/v1/usage").json()["totals"]["messages.published"] == 0
    assert other_api.get(f"/api/v1/usage?application={application.application_id}").status_code == 404
