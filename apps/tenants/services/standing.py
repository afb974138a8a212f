"""What a tenant may still do: what unpaid invoices took away, what an operator did."""

from __future__ import annotations

from apps.tenants.errors import TenantRestricted, TenantSuspended
from apps.tenants.models import Application, Tenant
from apps.tenants.registry import announce_change
from apps.tenants.services.audit import SYSTEM, record_audit
from apps.tenants.standing import Standing


def require_not_suspended(tenant: Tenant) -> None:
    """Raises TenantSuspended."""
    if tenant.standing is Standing.SUSPENDED:
        raise TenantSuspended


def require_not_restricted(tenant: Tenant) -> None:
    """Raises TenantSuspended, TenantRestricted."""
    require_not_suspended(tenant)
    if tenant.standing is Standing.RESTRICTED:
        raise TenantRestricted


def set_unpaid_standing(*, tenant: Tenant, standing: Standing, actor: str = SYSTEM) -> None:
    """What the tenant's unpaid invoices lead to, now. It binds in both planes at once; the same again does nothing."""
    _change(tenant, "standing.changed", actor, unpaid_standing=standing)


def suspend_tenant(*, tenant: Tenant, reason: str, actor: str) -> None:
    """An operator's stop, which no payment lifts. reason: the tenant reads it."""
    _change(tenant, "tenant.suspended", actor, operator_standing=Standing.SUSPENDED, suspension_reason=reason[:300])


def reactivate_tenant(*, tenant: Tenant, actor: str) -> None:
    """Takes the operator's stop away; what unpaid invoices led to stays."""
    _change(tenant, "tenant.reactivated", actor, operator_standing=Standing.GOOD, suspension_reason="")


def _change(tenant: Tenant, action: str, actor: str, **values: str) -> None:
    locked = Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    if all(getattr(locked, name) == value for name, value in values.items()):
        return
    before = locked.standing
    tenant.changed(**values)
    for application in Application.objects.of(tenant).select_related("tenant"):
        announce_change(application)
    facts = {"from": before.value, "to": tenant.refreshed().standing.value, **_words(values)}
    record_audit(tenant=tenant, actor=actor, action=action, target=tenant.public_id, facts=facts)


def _words(values: dict[str, str]) -> dict[str, str]:
    return {"reason": values["suspension_reason"]} if values.get("suspension_reason") else {}
