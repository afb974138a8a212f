"""The audit chain: whole when nobody touched it, broken at the first entry somebody did."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.db import ProgrammingError, transaction

from apps.operations.database import connect_as_admin
from apps.tenants.models import Application, AuditEntry, Tenant
from apps.tenants.scope import tenant_scope
from apps.tenants.services import ChainReport, record_audit, verify_audit

pytestmark = pytest.mark.django_db


def test_changes_are_recorded_with_their_actor(scope: Tenant, application: Application) -> None:
    record_audit(tenant=scope, actor="usr_1", action="test.done", target="x", facts={"ä": [1, True, None, "½"]})
    entry = AuditEntry.objects.of(scope).latest("id")
    assert (entry.actor, entry.action, entry.target) == ("usr_1", "test.done", "x")
    assert verify_audit(tenant=scope) == ChainReport(AuditEntry.objects.of(scope).count(), None)


def test_each_tenant_has_a_chain_of_its_own(tenant: Tenant, other_tenant: Tenant) -> None:
    with tenant_scope(other_tenant):
        record_audit(tenant=other_tenant, actor="a", action="b.c")
    with tenant_scope(tenant):
        assert verify_audit(tenant=tenant) == ChainReport(1, None)


@pytest.mark.parametrize("change", [AuditEntry.delete, lambda entry: entry.save()])
def test_the_serving_role_can_only_append(scope: Tenant, change) -> None:
    entry = AuditEntry.objects.of(scope).get()
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        change(entry)
    assert verify_audit(tenant=scope) == ChainReport(1, None)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "tampering",
    ["UPDATE tenants_auditentry SET actor = 'somebody else' WHERE id = %s",
     """UPDATE tenants_auditentry SET facts = '{"n": 2}' WHERE id = %s""",
     "DELETE FROM tenants_auditentry WHERE id = %s - 1"],
)  # fmt: skip
def test_tampering_by_a_superuser_is_found(tenant: Tenant, tampering: str) -> None:
    with tenant_scope(tenant):
        record_audit(tenant=tenant, actor="usr_1", action="first.thing", facts={"n": 1})
        entry = record_audit(tenant=tenant, actor="usr_1", action="second.thing", facts={"n": 1})
        record_audit(tenant=tenant, actor="usr_1", action="third.thing")
    with connect_as_admin(settings.DATABASES["default"]["NAME"]) as admin:
        admin.execute(tampering, [entry.pk])
    with tenant_scope(tenant):
        assert verify_audit(tenant=tenant).broken_at == entry.pk
