"""The organisation's audit log: who may read it, what a search finds, and what the CSV holds."""

from __future__ import annotations

import csv

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.tenants.models import AuditEntry, Tenant
from apps.tenants.permissions import Role
from apps.tenants.scope import tenant_scope
from apps.tenants.services import record_audit
from tests.dashboard.conftest import member_client

pytestmark = pytest.mark.django_db


def note(tenant: Tenant, action: str, **more: object) -> None:
    with tenant_scope(tenant):
        record_audit(tenant=tenant, action=action, **{"actor": "system", **more})  # type: ignore[arg-type]


def text_of(client: Client, url: str = "/audit/") -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_newest_entries_are_shown_with_the_name_of_who_did_it_and_none_of_a_neighbour(
    owner_client: Client, tenant: Tenant, other_tenant: Tenant, owner: User
) -> None:
    note(other_tenant, "their.secret")
    note(tenant, "limits.set", actor=owner.public_id, target="ten_x", facts={"spend_cap": 5})
    for number in range(60):
        note(tenant, f"thing.number_{number}")
    first, second = text_of(owner_client), text_of(owner_client, "/audit/?page=2")
    assert "thing.number_59" in first
    assert "limits.set" not in first
    assert "limits.set" in second
    assert owner.email in second
    assert "their.secret" not in first + second


@pytest.mark.parametrize("query", ["owner@acme", "limits.s", "ten_x", "spend_cap"])
def test_a_search_finds_person_action_target_and_details(
    owner_client: Client, tenant: Tenant, owner: User, query: str
) -> None:
    note(tenant, "limits.set", actor=owner.public_id, target="ten_x", facts={"spend_cap": 5})
    note(tenant, "plan.changed")
    page = text_of(owner_client, f"/audit/?q={query}")
    assert "limits.set" in page
    assert "plan.changed" not in page
    assert "No entry fits." in text_of(owner_client, "/audit/?q=nothing-like-it")


def test_the_csv_holds_the_chain(owner_client: Client, tenant: Tenant) -> None:
    note(tenant, "limits.set", target="=1+1", facts={"a": 1})
    rows = list(
        csv.DictReader(owner_client.get("/audit/export.csv?q=limits").getvalue().decode("utf-8-sig").splitlines())
    )
    with tenant_scope(tenant):
        entry = AuditEntry.objects.of(tenant).get(action="limits.set")
    assert [(row["action"], row["target"], row["facts"], row["hash"]) for row in rows] == [
        ("limits.set", "'=1+1", '{"a": 1}', entry.hash)
    ]


@pytest.mark.parametrize("role", [Role.DEVELOPER, Role.MARKETER, Role.ANALYST])
def test_who_does_not_run_the_organisation_does_not_see_it(tenant: Tenant, role: Role) -> None:
    client = member_client(tenant, role)
    assert client.get("/audit/").status_code == 403
    assert 'href="/audit/"' not in text_of(client, "/overview/")
