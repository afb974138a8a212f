"""The pages, downloads and REST answers of invoices say the same."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import time_machine
from django.test import Client
from rest_framework.test import APIClient

from apps.billing.models import Invoice, TaxRate
from apps.billing.services.credits import add_coupon, change_profile, grant_credit
from apps.billing.services.invoicing import open_draft
from apps.billing.statement import DiscountKind
from apps.tenants.models import Tenant
from apps.tenants.permissions import Role
from apps.tenants.scope import tenant_scope
from tests.billing.invoices import JUNE, MAY, invoice_of, plan, subscribe, use
from tests.dashboard.conftest import member_client

pytestmark = pytest.mark.django_db


@pytest.fixture
def billed(tenant: Tenant) -> Invoice:
    """May: 30 + 20, less 10 %, 19 % tax, 5 of it from prepaid credit."""
    plan()
    TaxRate.objects.create(code="vat", name="增值税", percent=19)
    subscribe(tenant)
    use(tenant, 2_000, datetime(2026, 5, 20, tzinfo=UTC))
    with tenant_scope(tenant):
        change_profile(tenant=tenant, taxes={"": "vat"}, legal_name="北京有限公司 <GmbH>")
        with time_machine.travel(MAY, tick=False):
            add_coupon(tenant=tenant, name="=1+1", kind=DiscountKind.PERCENT, value=Decimal(10))
        grant_credit(tenant=tenant, name="Prepaid", currency="EUR", amount=500)
        return invoice_of(tenant)


def test_the_list_and_the_invoice_show_what_is_owed(tenant: Tenant, billed: Invoice) -> None:
    reader = member_client(tenant, Role.ANALYST)
    page = reader.get("/invoices/").content.decode()
    assert "INV-2026-000001" in page
    assert "€53.55" in page
    assert "€48.55" in page
    page = reader.get(f"/invoices/{billed.public_id}/").content.decode()
    for text in ("Messages published (Pro)", "Base fee (Pro)", "-€5.00", "€8.55", "北京有限公司 &lt;GmbH&gt;"):
        assert text in page


def test_the_downloads_add_up_and_are_safe_to_open(tenant: Tenant, billed: Invoice) -> None:
    reader = member_client(tenant, Role.ANALYST)
    answer = reader.get(f"/invoices/{billed.public_id}/invoice.csv")
    rows = list(csv.DictReader(answer.content.decode("utf-8-sig").splitlines()))
    assert [(row["kind"], row["amount"]) for row in rows] == [
        ("usage", "20.00"),
        ("flat_fee", "30.00"),
        ("discount", "-5.00"),
        ("tax", "8.55"),
        ("total", "53.55"),
    ]
    assert rows[2]["text"] == "'=1+1"
    stored = reader.get(f"/invoices/{billed.public_id}/invoice.json").json()
    assert (stored["total"], stored["prepaid"], stored["open"]) == ("53.55", "5.00", "48.55")
    pdf = reader.get(f"/invoices/{billed.public_id}/invoice.pdf")
    assert pdf.content.startswith(b"%PDF-")
    assert b"STSong-Light" in pdf.content  # the buyer's name is Chinese
    assert pdf.content == reader.get(f"/invoices/{billed.public_id}/invoice.pdf").content


def test_a_draft_shows_what_it_would_say_and_has_no_pdf(tenant: Tenant) -> None:
    plan()
    subscribe(tenant)
    with time_machine.travel(JUNE, tick=False), tenant_scope(tenant):
        draft = open_draft(tenant=tenant, starts_at=MAY)
    assert draft is not None
    reader = member_client(tenant, Role.ANALYST)
    assert "€30.00" in reader.get(f"/invoices/{draft.public_id}/").content.decode()
    assert reader.get(f"/invoices/{draft.public_id}/invoice.pdf").status_code == 409


def test_the_running_period_is_shown_as_an_invoice(tenant: Tenant, api: APIClient) -> None:
    plan()
    with time_machine.travel(datetime(2026, 5, 20, tzinfo=UTC), tick=False):
        subscribe(tenant)
        use(tenant, 100, datetime(2026, 5, 20, tzinfo=UTC))
        assert "€31.00" in member_client(tenant, Role.ANALYST).get("/invoices/preview/").content.decode()
        answer = api.get("/api/v1/invoices/preview").json()
    assert (answer["status"], answer["total"], answer["number"]) == ("preview", "31.00", None)


def test_rest_lists_gets_and_exports(api: APIClient, billed: Invoice) -> None:
    (listed,) = api.get("/api/v1/invoices").json()["data"]
    assert (listed["id"], listed["number"], listed["total"]) == (billed.public_id, "INV-2026-000001", "53.55")
    assert api.get(f"/api/v1/invoices/{billed.public_id}").json()["lines"][0]["quantity"] == 2_000
    assert api.get(f"/api/v1/invoices/{billed.public_id}/csv").content.startswith(b"invoice,kind,")
    assert api.get(f"/api/v1/invoices/{billed.public_id}/pdf").content.startswith(b"%PDF-")


def test_the_neighbour_sees_no_invoice(billed: Invoice, other_tenant: Tenant) -> None:
    stranger: Client = member_client(other_tenant, Role.ANALYST)
    assert "INV-2026" not in stranger.get("/invoices/").content.decode()
    for suffix in ("", "invoice.pdf", "invoice.csv", "invoice.json"):
        assert stranger.get(f"/invoices/{billed.public_id}/{suffix}").status_code == 404
