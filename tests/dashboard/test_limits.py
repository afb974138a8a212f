"""The page where a tenant limits itself."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.billing.services import subscription_of
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope

pytestmark = pytest.mark.django_db
CHANGE = "/usage/limits/change"


def test_an_owner_sets_limits_and_sees_what_binds(owner_client: Client, tenant: Tenant) -> None:
    answer = owner_client.post(CHANGE, {"spend_cap": "12.50", "hard-0": "900", "soft-0": "500"})
    assert (answer.status_code, answer["Location"]) == (302, "/usage/limits/")
    with tenant_scope(tenant):
        subscription = subscription_of(tenant=tenant)
        assert subscription.spend_cap == 1_250
        assert subscription.own_limits_json == {"messages.published": {"soft": 500, "hard": 900}}
    shown = owner_client.get("/usage/limits/").content.decode()
    assert 'value="12.50"' in shown
    assert 'value="900"' in shown


@pytest.mark.parametrize(
    "wrong", [{"spend_cap": "-1"}, {"spend_cap": "0.001"}, {"hard-0": "x"}, {"soft-0": "9", "hard-0": "3"}]
)
def test_a_wrong_limit_is_told_and_changes_nothing(owner_client: Client, tenant: Tenant, wrong: dict[str, str]) -> None:
    assert owner_client.post(CHANGE, wrong).status_code == 400
    with tenant_scope(tenant):
        subscription = subscription_of(tenant=tenant)
        assert (subscription.spend_cap, subscription.own_limits_json) == (None, {})


def test_who_only_reads_usage_cannot_change_limits(analyst: Client, developer: Client, tenant: Tenant) -> None:
    assert analyst.get("/usage/limits/").status_code == 200
    assert "Save limits" not in analyst.get("/usage/limits/").content.decode()
    assert developer.post(CHANGE, {"spend_cap": "1"}).status_code == 403
    with tenant_scope(tenant):
        assert subscription_of(tenant=tenant).spend_cap is None
