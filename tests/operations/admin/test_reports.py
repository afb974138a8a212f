"""The reports: what they say of two tenants, as a page and as CSV, and when there is nothing to say."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.test import Client

from apps.billing.models import Invoice
from apps.billing.services import set_plan
from apps.billing.services.invoicing import open_draft, park
from apps.billing.services.periods import current_period
from apps.billing.services.settling import issue_credit_note
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope
from apps.tenants.services import set_unpaid_standing
from apps.tenants.standing import Standing
from tests.billing.invoices import JUNE, use

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def july() -> Iterator[None]:
    """July 1; the browser's proof is as old as the session's clock says, so it is made in this time."""
    with time_machine.travel(NOW, tick=False):
        yield


def rows(browser: Client, name: str, **query: str) -> list[list[str]]:
    response: Any = browser.get(f"/operator/reports/{name}/", {"format": "csv", **query})
    assert response["Content-Disposition"] == f'attachment; filename="{name}.csv"'
    text = b"".join(response.streaming_content).decode().removeprefix("\ufeff")
    return list(csv.reader(StringIO(text)))[1:]


@pytest.mark.parametrize("name", ["revenue", "movers", "unbilled", "limits", "stopped"])
def test_a_report_of_nothing_says_so(browser: Client, name: str, clean_valkey: None) -> None:
    page = browser.get(f"/operator/reports/{name}/").content.decode()
    assert 'class="report-empty"' in page
    assert rows(browser, name) == []


def test_an_unknown_report_is_not_there(browser: Client) -> None:
    assert browser.get("/operator/reports/secrets/").status_code == 404


def test_revenue_is_by_month_and_plan_less_credit_notes(browser: Client, billed: Invoice, tenant: Tenant) -> None:
    with tenant_scope(tenant):
        issue_credit_note(tenant=tenant, invoice=billed, amount=None, reason="All of it", actor="system")
    assert rows(browser, "revenue") == [
        ["", "2026-07", "discounts and credit notes", "EUR", "'-50.00"],
        ["", "2026-06", "Pro", "EUR", "50.00"],
    ]
    page = browser.get("/operator/reports/revenue/").content.decode()
    assert '<svg class="chart"' in page


def test_movers_compare_two_weeks_and_put_the_largest_change_first(
    browser: Client, tenant: Tenant, other_tenant: Tenant
) -> None:
    use(tenant, 100, NOW - timedelta(days=8), "a")
    use(tenant, 150, NOW - timedelta(days=2), "b")
    use(other_tenant, 900, NOW - timedelta(days=9), "c")
    use(other_tenant, 7, NOW - timedelta(days=15), "d")
    assert rows(browser, "movers") == [
        [other_tenant.public_id, "Globex", "Messages published", "900", "0", "'-900", "'-100 %"],
        [tenant.public_id, "Acme", "Messages published", "100", "150", "'+50", "'+50 %"],
    ]
    assert [row[1] for row in rows(browser, "movers", q="acme")] == ["Acme"]


def test_unbilled_shows_drafts_with_what_they_would_say(browser: Client, billed: Invoice, tenant: Tenant) -> None:
    use(tenant, 100, JUNE + timedelta(days=3))
    with tenant_scope(tenant):
        current_period(tenant=tenant)
        assert open_draft(tenant=tenant, starts_at=JUNE) is not None
    assert rows(browser, "unbilled") == [[tenant.public_id, "Acme", "2026-07-01 00:00", "2026-07-01 01:00", "€31.00"]]
    page = browser.get("/operator/reports/unbilled/").content.decode()
    assert "€31.00" in page
    assert "07-01: 1" in page  # the chart, in words
    assert f"/operator/tenants/tenant/{tenant.public_id}/change/" in page


def test_who_is_near_a_limit_is_shown_fullest_first(browser: Client, tenant: Tenant, other_tenant: Tenant) -> None:
    for who, used in ((tenant, 80), (other_tenant, 99)):
        with tenant_scope(who):
            set_plan(tenant=who, limits={"messages.published": 100})
        use(who, used, NOW)
    assert [(row[1], row[5]) for row in rows(browser, "limits")] == [("Globex", "99 %"), ("Acme", "80 %")]
    with tenant_scope(tenant):
        set_plan(tenant=tenant, limits={"messages.published": 101})
    assert [row[1] for row in rows(browser, "limits")] == ["Globex"]


def test_parked_and_stopped_tenants_are_shown_with_why_and_what_is_open(
    browser: Client, billed: Invoice, tenant: Tenant, other_tenant: Tenant
) -> None:
    with tenant_scope(tenant):
        set_unpaid_standing(tenant=tenant, standing=Standing.RESTRICTED)
    with tenant_scope(other_tenant):
        park(tenant=other_tenant, reason="figures differ")
    assert [row[1:] for row in rows(browser, "stopped")] == [
        ["Acme", "restricted", "", "", "€50.00"],
        ["Globex", "good", "2026-07-01 12:00", "figures differ", ""],
    ]
