"""An operator at the operators' door, and a tenant that owes."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from django.test import Client
from django_otp import DEVICE_ID_SESSION_KEY

from apps.accounts.mfa import PROVED_KEY
from apps.accounts.models import Authenticator, User
from apps.billing.models import Invoice, TaxRate
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope
from tests.billing.invoices import MAY, invoice_of, plan, subscribe, use
from tests.fixtures import PASSWORD


def prove(client: Client, authenticator: Authenticator, *, seconds_ago: float = 0) -> None:
    session = client.session
    session[PROVED_KEY] = time.time() - seconds_ago
    session[DEVICE_ID_SESSION_KEY] = authenticator.persistent_id
    session.save()


@pytest.fixture
def operator(db: None) -> User:
    return User.objects.create_user("op@pushsaas.example", PASSWORD, name="Opal", is_staff=True)


@pytest.fixture
def authenticator(operator: User) -> Authenticator:
    return Authenticator.objects.create(
        user=operator, name="Phone", confirmed=True, seed_sealed=Authenticator.seal_seed(b"0" * 20, operator.pk)
    )


@pytest.fixture
def browser(operator: User, authenticator: Authenticator) -> Client:
    """The operator's, with the second factor given just now."""
    client = Client()
    client.force_login(operator)
    prove(client, authenticator)
    return client


@pytest.fixture
def billed(tenant: Tenant, other_tenant: Tenant) -> Invoice:
    """An unpaid invoice of 50.00 and tax that is 0; the neighbour has nothing."""
    plan()
    TaxRate.objects.create(code="vat", name="VAT", percent=19)
    subscribe(tenant)
    use(tenant, 2_000, datetime(2026, 5, 20, tzinfo=UTC))
    with tenant_scope(tenant):
        return invoice_of(tenant, MAY)
