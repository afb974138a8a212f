"""What the push pages warn of and can switch: two keys of one Apple team, and failures of the demo's stand-ins."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings

from apps.dashboard.live import faults
from apps.providers.apns.provider import ApnsProvider
from apps.providers.credentials import retire_credential, save_credential
from apps.providers.models import ProviderCredential
from apps.tenants.models import Application, Role, Tenant
from apps.tenants.scope import tenant_scope
from tests.dashboard.conftest import member_client

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clean_valkey")]


def _saved(application: Application, team: str, key: str) -> ProviderCredential:
    values = {"team_id": team, "key_id": key, "bundle_id": "com.example.shop", "private_key": "sealed"}
    return save_credential(tenant=application.tenant, application=application, provider="apns", name=key, values=values)


def test_two_keys_of_one_team_are_warned_of(
    tenant: Tenant, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ApnsProvider, "check", lambda _self: None)
    first, _foreign = _saved(application, "TEAMTEAM01", "KEYKEYKEY1"), _saved(application, "TEAMTEAM02", "KEYKEYKEY3")
    client = member_client(tenant, Role.DEVELOPER)
    address = f"/provider-credentials/{first.public_id}/"
    assert "This team also sends" not in client.get(address).content.decode()
    second = _saved(application, "TEAMTEAM01", "KEYKEYKEY2")
    assert "This team also sends with the key KEYKEYKEY2." in client.get(address).content.decode()
    with tenant_scope(tenant):
        retire_credential(tenant=tenant, credential=second)
    assert "This team also sends" not in client.get(address).content.decode()


TOLD = [
    {"network": "apns", "choices": ["none", "busy", "goaway"], "fault": "busy", "left": 4},
    {"network": "email", "choices": ["none", "busy"], "fault": "none", "left": 0},
]


def test_a_fault_is_switched_only_where_stand_ins_run_and_can(
    tenant: Tenant, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    switched: list[tuple[Any, ...]] = []
    monkeypatch.setattr(faults, "faults", lambda: TOLD)
    monkeypatch.setattr(faults, "switch_fault", lambda *given: switched.append(given))
    client = member_client(tenant, Role.DEVELOPER)
    body = {"network": "apns", "fault": "goaway", "count": "3"}
    assert client.post("/live/phones/fault", body).status_code == 404
    with override_settings(STAND_INS_URL="https://127.0.0.1:1"):
        assert "4 requests more" in client.get("/live/phones").content.decode()
        client.post("/live/phones/fault", body)
        for wrong in ({"network": "email"}, {"count": "0"}, {"fault": "fire"}, {"network": "mars"}):
            refused = client.post("/live/phones/fault", {**body, **wrong}, follow=True)
            assert refused.status_code == 200
    assert switched == [("apns", "goaway", 3)]
