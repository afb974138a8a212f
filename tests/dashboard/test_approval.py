"""Asking for an approval, and giving it, on the page."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from apps.campaigns.models import Campaign, SendingDefaults
from apps.campaigns.services import create_campaign
from apps.campaigns.services.approving import is_approved
from apps.campaigns.services.editing import Plan
from apps.tenants.models import Application, Tenant
from apps.tenants.permissions import Role
from apps.tenants.scope import tenant_scope
from tests.dashboard.conftest import member_client
from tests.sending import people

__all__ = ["people"]

pytestmark = pytest.mark.django_db


def test_one_asks_and_another_approves(
    tenant: Tenant, application: Application, people: list[str], owner_client: Client
) -> None:
    plan = Plan(name="Spring", audience={"all": True}, routes=["realtime"], content={"en": {"title": "Hi"}})
    with tenant_scope(tenant):
        campaign = create_campaign(tenant=tenant, application=application, plan=plan)
    asker = member_client(tenant, Role.MARKETER)
    url = reverse("dashboard:campaign-approval", args=[campaign.public_id])
    assert "Nobody has approved" in page(asker, url)
    asker.post(url, {"verb": "ask"})
    assert 'value="approve"' not in page(asker, url)
    shown = page(owner_client, url)
    assert 'value="approve"' in shown
    seen = shown.split('name="seen" value="')[1].split('"')[0]
    owner_client.post(url, {"verb": "approve", "seen": seen})
    with tenant_scope(tenant):
        assert is_approved(Campaign.objects.of(tenant).get(pk=campaign.pk))
    assert "Approved by" in page(asker, url)


def test_the_settings_demand_it(tenant: Tenant, application: Application, developer: Client) -> None:
    client = developer
    save = reverse("dashboard:application-safety", args=[application.public_id])
    said = {"needs_approval": "on", "errors_percent": "30", "gone_percent": "10", "window": "300", "least": "50"}
    client.post(save, said)
    fuse = {"errors": 30, "gone": 10, "window": 300, "least": 50}
    with tenant_scope(tenant):
        defaults = SendingDefaults.objects.of(tenant).get()
        assert (defaults.needs_approval, defaults.fuse) == (True, fuse)
    shown = page(client, reverse("dashboard:application-settings", args=[application.public_id]))
    assert "Save safety" in shown
    assert 'name="window" value="300" min="60" max="3600"' in shown
    refused = client.post(save, {**said, "window": "59"}, follow=True).content.decode()
    assert "Counted within so many seconds: Ensure this value is greater than or equal to 60." in refused
    with tenant_scope(tenant):
        assert SendingDefaults.objects.of(tenant).get().fuse == fuse


def page(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()
