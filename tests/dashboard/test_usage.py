"""The usage page and its CSV."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from apps.billing.meters import METERS
from apps.billing.records import UsageRecordIn
from apps.billing.services import record_usage, set_plan
from apps.billing.services.activity import count_active
from apps.billing.services.application_limits import set_application_limits
from apps.billing.services.limits import OwnLimit
from apps.billing.services.watching import watch_caps_and_applications
from apps.campaigns.models import Campaign
from apps.campaigns.services import create_campaign
from apps.campaigns.services.editing import Plan
from apps.core.csv import safe_cell
from apps.dashboard.usage.report import Asked, report_of
from apps.tenants.models import Application, Tenant
from apps.tenants.permissions import Role
from apps.tenants.scope import tenant_scope
from tests.dashboard.conftest import member_client

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 5, 20, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def at_noon(tenant: Tenant) -> Any:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def reader(tenant: Tenant) -> Client:
    return member_client(tenant, Role.ANALYST)


@pytest.fixture
def campaign(tenant: Tenant, application: Application) -> Campaign:
    with tenant_scope(tenant):
        plan = Plan("Spring", {"all": True}, ["console"], content={"en": {"title": "Hi", "body": "There"}})
        return create_campaign(tenant=tenant, application=application, plan=plan)


def use(tenant: Tenant, quantity: int, *, meter: str = "messages.published", application: int | None = None) -> None:
    with tenant_scope(tenant):
        record_usage([UsageRecordIn(meter, f"{meter}:{application}", quantity, NOON, application)], tenant=tenant)


def text_of(client: Client, url: str = "/usage/") -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_shows_use_limits_and_cost_of_the_running_period(reader: Client, tenant: Tenant) -> None:
    with time_machine.travel(NOON.replace(day=1, hour=0), tick=False), tenant_scope(tenant):
        set_plan(tenant=tenant, code="pay-as-you-go", limits={"campaign.sends": 250_000})
    use(tenant, 200_000, meter="campaign.sends")
    page = text_of(reader)
    assert "€5.00" in page
    assert "Pay as you go" in page
    assert '<progress class="bar warn" value="200000" max="250000"' in page
    assert "€0.00005" in page


def test_the_page_draws_a_chart_per_meter_and_lists_its_figures(reader: Client, tenant: Tenant) -> None:
    use(tenant, 1_234)
    page = text_of(reader, "/usage/?start=2026-05-19&end=2026-05-20&meter=messages.published")
    assert page.count('<svg class="chart"') == 1
    assert "<title>May 20, 2026: 1,234</title>" in page
    assert '<td class="number">1,234</td>' in page
    assert "style=" not in page


def test_an_unused_period_says_what_to_do(reader: Client) -> None:
    assert "Nothing was used in these days" in text_of(reader)


def test_the_application_filter_leaves_out_the_others(reader: Client, tenant: Tenant, application: Application) -> None:
    use(tenant, 40, application=application.pk)
    use(tenant, 5)
    assert '<td class="number">45</td>' in text_of(reader)
    assert '<td class="number">40</td>' in text_of(reader, f"/usage/?application={application.public_id}")


@pytest.mark.parametrize(
    "query",
    [
        "start=2026-05-20&end=2026-05-19",
        "start=2020-01-01&end=2026-05-19",
        "start=yesterday",
        "end=9999-12-31",
        "start=0001-01-01",
        "meter=messages.dreamt",
        "application=app_0000000000000000000000",
    ],
)
@pytest.mark.parametrize("url", ["/usage/", "/usage/export.csv"])
def test_a_bad_filter_is_explained_on_the_page(reader: Client, url: str, query: str) -> None:
    answer = reader.get(f"{url}?{query}")
    assert answer.status_code == 400
    assert "errorlist" in answer.content.decode()


def test_the_csv_has_a_row_per_day_meter_and_application(
    reader: Client, tenant: Tenant, application: Application
) -> None:
    with tenant_scope(tenant):
        application.changed(name='=HYPERLINK("http://evil.example")')
    use(tenant, 7, application=application.pk)
    use(tenant, 5)
    answer = reader.get("/usage/export.csv?start=2026-05-20&end=2026-05-20")
    assert answer["Content-Disposition"] == 'attachment; filename="usage-2026-05-20-2026-05-20.csv"'
    rows = list(csv.reader(answer.getvalue().decode("utf-8-sig").splitlines()))
    assert rows == [
        ["day", "meter", "unit", "application id", "application", "campaign id", "quantity"],
        ["2026-05-20", "messages.published", "publication × channel", "", "", "", "5"],
        [
            "2026-05-20",
            "messages.published",
            "publication × channel",
            application.application_id,
            '\'=HYPERLINK("http://evil.example")',
            "",
            "7",
        ],
    ]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_a_cell_that_a_spreadsheet_would_run_is_quoted(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


def test_a_neighbour_sees_neither_usage_nor_application(
    tenant: Tenant, other_tenant: Tenant, application: Application
) -> None:
    use(tenant, 4_321, application=application.pk)
    stranger = member_client(other_tenant, Role.ANALYST)
    assert "4,321" not in text_of(stranger)
    assert stranger.get(f"/usage/?application={application.public_id}").status_code == 400


def send(tenant: Tenant, campaign: str, quantity: int, application: int | None = None) -> None:
    dimensions = {"campaign": campaign} if campaign else {}
    with tenant_scope(tenant):
        key = f"{campaign}:{quantity}"
        record = UsageRecordIn("campaign.sends", key, quantity, NOON, application, dimensions)
        record_usage([record], tenant=tenant)


def test_usage_is_shown_by_campaign_with_its_name_and_by_application(
    reader: Client, tenant: Tenant, other_tenant: Tenant, application: Application, campaign: Campaign
) -> None:
    send(tenant, campaign.public_id, 321, application.pk)
    send(tenant, "cmp_gone", 12)
    send(tenant, "", 4_444)
    send(other_tenant, "cmp_theirs", 77)
    page = text_of(reader, "/usage/?by=campaign")
    assert f'<a href="/campaigns/{campaign.public_id}/">{campaign.name}</a>' in page
    assert "cmp_gone" in page
    assert "cmp_theirs" not in page
    assert "4,444" not in page.split('id="figures"')[1]
    by_application = text_of(reader, "/usage/?by=application").split('id="figures"')[1]
    assert by_application.index("No application") < by_application.index(application.name)
    assert "4,456" in by_application
    assert "321" in by_application


def test_a_forecast_is_shown_after_a_week_and_not_before(reader: Client, tenant: Tenant) -> None:
    with tenant_scope(tenant):
        for day in range(12, 20):
            at = NOON.replace(day=day)
            record_usage([UsageRecordIn("messages.published", f"d{day}", 100, at)], tenant=tenant)
    assert "in nine of ten cases" in text_of(reader)
    with time_machine.travel(NOON.replace(day=18), tick=False):
        assert "Shown after seven whole days of usage" in text_of(reader)


def test_a_person_who_was_active_on_two_days_is_one_in_the_total(tenant: Tenant) -> None:
    meter = METERS["subscribers.active"]
    with tenant_scope(tenant):
        for day, people in ((18, ("a", "b")), (19, ("c",))):
            at = NOON.replace(day=day)
            seen = dict.fromkeys(people, at)
            count_active(tenant=tenant, meter=meter.name, seen=seen, application_id=0)
        report = report_of(Asked(tenant, date(2026, 5, 18), date(2026, 5, 19), None, [meter]))
    assert report.charts[0].total == 3
    assert [row.quantities for row in report.rows] == [[1], [2]]


@pytest.mark.usefixtures("as_worker")
def test_an_application_near_its_own_limit_is_named_on_the_page(
    reader: Client, tenant: Tenant, application: Application
) -> None:
    with tenant_scope(tenant):
        limits = {"messages.published": OwnLimit(hard=100)}
        set_application_limits(tenant=tenant, application=application, actor="system", limits=limits)
    use(tenant, 60, application=application.pk)
    watch_caps_and_applications()
    assert "% of its own limit" not in text_of(reader)
    with tenant_scope(tenant):
        more = UsageRecordIn("messages.published", "more", 25, NOON, application.pk)
        record_usage([more], tenant=tenant)
    with time_machine.travel(NOON + timedelta(minutes=1), tick=False):
        watch_caps_and_applications()
        page = text_of(reader)
    assert f"{application.name} has used 80 % of its own limit of Messages published (100)." in page
