"""Telling people that a credential is about to end."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q

from apps.core import clock
from apps.providers.models import ProviderCredential
from apps.tenants.models import Tenant
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope
from apps.tenants.services.notices import tell_those_who_answer

#: Days before the end at which a mail goes out.
WARNINGS = (30, 7, 1)


def warn_of_ends() -> int:
    """Each credential's people are told once per threshold. Answers how many were. Opens a scope per tenant."""
    with all_tenants(CrossTenantRole.REGISTRY):
        tenants = list(Tenant.objects.order_by("pk"))
    return sum(_warn(tenant) for tenant in tenants)


def _warn(tenant: Tenant) -> int:
    now = clock.now()
    with tenant_scope(tenant):
        told = 0
        for days in sorted(WARNINGS):
            untold = Q(warned_days=None) | Q(warned_days__gt=days)
            ending = ProviderCredential.objects.of(tenant).filter(
                untold, retired_at=None, expires_at__gt=now, expires_at__lte=now + timedelta(days=days)
            )
            for credential in ending.select_related("application").select_for_update(of=("self",), skip_locked=True):
                _tell(tenant, credential)
                credential.changed(warned_days=days)
                told += 1
        return told


def _tell(tenant: Tenant, credential: ProviderCredential) -> None:
    assert credential.expires_at is not None
    facts = {
        "tenant": tenant.name,
        "application": credential.application.name,
        "credential": credential.name,
        "provider": credential.provider,
        "ends": credential.expires_at.strftime("%Y-%m-%d %H:%M UTC"),
    }
    tell_those_who_answer(tenant=tenant, kind="credential_ending", facts=facts)
