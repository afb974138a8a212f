"""Every page says when a tenant may do less than others, why, and what lifts it."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope
from apps.tenants.services import set_unpaid_standing, suspend_tenant
from apps.tenants.standing import Standing

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("standing", "sentence"),
    [
        (Standing.OVERDUE, "An invoice is overdue."),
        (Standing.RESTRICTED, "No campaign can be started until the unpaid invoice is paid."),
        (Standing.SUSPENDED, "This organisation is suspended"),
    ],
)
def test_a_page_says_what_an_unpaid_invoice_led_to(
    tenant: Tenant, owner_client: Client, standing: Standing, sentence: str
) -> None:
    assert sentence not in owner_client.get("/overview/").content.decode()
    with tenant_scope(tenant):
        set_unpaid_standing(tenant=tenant, standing=standing)
    page = owner_client.get("/overview/").content.decode()
    assert sentence in page
    assert "See the invoices" in page


def test_a_page_says_why_an_operator_stopped_the_tenant(tenant: Tenant, owner_client: Client) -> None:
    with tenant_scope(tenant):
        suspend_tenant(tenant=tenant, reason="Spam <script>", actor="usr_x")
    page = owner_client.get("/overview/").content.decode()
    assert "Spam &lt;script&gt;" in page
    assert "as soon as they are paid" not in page
