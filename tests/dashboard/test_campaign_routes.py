"""What the campaign editor tells about the routes."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from apps.providers import breaker
from apps.providers.base import Outcome, Result, Scope
from apps.providers.breaker import Circuit
from apps.providers.credentials import ensure_vapid_credential, pause_credential
from apps.tenants.models import Application, Tenant
from apps.tenants.permissions import Role
from apps.tenants.scope import tenant_scope
from tests.dashboard.conftest import member_client

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clean_valkey")]


@pytest.fixture
def marketer(tenant: Tenant) -> Client:
    return member_client(tenant, Role.MARKETER)


def _label(client: Client, route: str) -> str:
    page = client.get("/campaigns/new").content.decode()
    found = re.search(rf'<label[^>]*>\s*<input[^>]*value="{route}".*?</label>', page, re.DOTALL)
    assert found is not None
    return found[0]


def _credential(tenant: Tenant, application: Application) -> str:
    with tenant_scope(tenant):
        made = ensure_vapid_credential(tenant=tenant, application=application, subject="mailto:ops@example.com")
    return made.public_id


def test_a_route_without_a_credential_cannot_be_chosen(marketer: Client, application: Application) -> None:
    assert ("disabled" in _label(marketer, "webpush"), "No credential" in _label(marketer, "webpush")) == (True, True)
    assert "disabled" not in _label(marketer, "realtime")


def test_with_one_it_can(marketer: Client, tenant: Tenant, application: Application) -> None:
    _credential(tenant, application)
    label = _label(marketer, "webpush")
    assert ("disabled" in label, "Ready" in label) == (False, True)


def test_a_paused_and_a_failing_one_are_marked(marketer: Client, tenant: Tenant, application: Application) -> None:
    id = _credential(tenant, application)
    circuit = Circuit(tenant.home_region, application.application_id, "webpush", id)
    silent = [Outcome(str(n), Result.UNAVAILABLE, Scope.PROVIDER, "503") for n in range(breaker.FAILURES)]
    breaker.record(circuit, silent)
    assert "the network fails" in _label(marketer, "webpush")
    with tenant_scope(tenant):
        pause_credential(tenant=tenant, credential_id=id, reason="403")
    assert "the network refused it" in _label(marketer, "webpush")
