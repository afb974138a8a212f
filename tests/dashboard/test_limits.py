"""The page where a tenant limits itself."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.billing.records import UsageRecordIn
from apps.billing.services import record_usage, subscription_of
from apps.billing.services.application_limits import limits_of_application
from apps.billing.services.limits import OwnLimit
from apps.core import clock
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope

pytestmark = pytest.mark.django_db
CHANGE = "/usage/limits/change"


def test_an_owner_sets_limits_and_sees_what_binds(owner_client: Client, tenant: Tenant) -> None:
    answer = owner_client.post(
        CHANGE, {"spend_cap": "12.50", "hard-messages.published": "900", "soft-messages.published": "500"}
    )
    assert (answer.status_code, answer["Location"]) == (302, "/usage/limits/")
    with tenant_scope(tenant):
        subscription = subscription_of(tenant=tenant)
        assert subscription.spend_cap == 1_250
        assert subscription.own_limits_json == {"messages.published": {"soft": 500, "hard": 900}}
    shown = owner_client.get("/usage/limits/").content.decode()
    assert 'value="12.50"' in shown
    assert 'value="900"' in shown


@pytest.mark.parametrize(
    "wrong",
    [
        {"spend_cap": "-1"},
        {"spend_cap": "0.001"},
        {"hard-messages.published": "x"},
        {"soft-messages.published": "9", "hard-messages.published": "3"},
    ],
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


def test_an_owner_limits_one_application_and_sees_what_it_used(
    owner_client: Client, analyst: Client, tenant: Tenant, application: Application
) -> None:
    url = f"/applications/{application.public_id}/usage-limits/"
    with tenant_scope(tenant):
        record_usage([UsageRecordIn("messages.published", "a", 321, clock.now(), application.pk)], tenant=tenant)
    assert url in owner_client.get("/usage/limits/").content.decode()
    answer = owner_client.post(
        f"{url}change", {"soft-messages.published": "5", "hard-messages.published": "900", "hard-campaign.sends": "70"}
    )
    assert (answer.status_code, answer["Location"]) == (302, url)
    with tenant_scope(tenant):
        assert limits_of_application(tenant=tenant, application=application) == {
            "messages.published": OwnLimit(5, 900), "campaign.sends": OwnLimit(None, 70),
        }  # fmt: skip
    shown = analyst.get(url).content.decode()
    assert 'value="900"' in shown
    assert ">321<" in shown
    assert "Save limits" not in shown
    assert (
        owner_client.post(f"{url}change", {"soft-messages.published": "9", "hard-messages.published": "3"}).status_code
        == 400
    )
    assert analyst.post(f"{url}change", {}).status_code == 403
