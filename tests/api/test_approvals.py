"""Asking for an approval with a key: who asked is known, and whoever made the key cannot approve."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.campaigns.errors import SelfApproval
from apps.campaigns.journeys.services import create_journey
from apps.campaigns.models import Approval, Journey
from apps.campaigns.services import approving
from apps.tenants.models import ApiKey, Application, AuditEntry, Tenant
from apps.tenants.scope import tenant_scope
from tests.api.helpers import problem
from tests.campaigns.journeys.world import a_journey, a_send

pytestmark = pytest.mark.django_db


@pytest.fixture
def journey(tenant: Tenant, application: Application) -> Journey:
    with tenant_scope(tenant):
        approving.set_needs_approval(tenant=tenant, application=application, needed=True, actor="x")
        return create_journey(
            tenant=tenant, application=application, name="Cart", definition=a_journey(a_send(routes=["realtime"]))
        )


def test_who_made_the_key_that_asks_cannot_approve(
    tenant: Tenant, journey: Journey, api: APIClient, owner: User, other_owner: User
) -> None:
    with tenant_scope(tenant):
        ApiKey.objects.of(tenant).update(created_by=owner)
        key = ApiKey.objects.of(tenant).get()
    url = f"/api/v1/journeys/{journey.public_id}"
    problem(api.post(f"{url}/publish"), 409, "approval_missing")

    asked = api.post(f"{url}/approval").json()

    told = [asked[name] for name in ("needed", "approved", "asked", "asked_with")]
    assert told == [True, False, True, key.public_id]
    assert asked["figures"]["send_steps"] == 1
    decided = {"tenant": tenant, "subject": journey, "approves": True, "seen": asked["hash"]}
    with tenant_scope(tenant):
        entry = AuditEntry.objects.of(tenant).latest("pk")
        assert (entry.action, entry.actor) == ("journey.approval_asked", key.public_id)
        assert Approval.objects.of(tenant).get().asked_by == owner
        with pytest.raises(SelfApproval):
            approving.decide_approval(**decided, user=owner)
        approving.decide_approval(**decided, user=other_owner)
    assert api.post(f"{url}/publish").json()["version"] == 1


def test_a_key_made_with_a_key_has_its_maker(tenant: Tenant, api: APIClient, owner: User) -> None:
    with tenant_scope(tenant):
        ApiKey.objects.of(tenant).update(created_by=owner)
    made = api.post("/api/v1/api-keys", {"name": "Second", "scopes": ["campaigns.write"]}, format="json").json()
    with tenant_scope(tenant):
        assert ApiKey.objects.of(tenant).access(made["id"]).created_by == owner
