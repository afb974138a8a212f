"""People at the tenants' door."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.tenants.models import Membership, Tenant
from apps.tenants.permissions import Role
from apps.tenants.scope import tenant_scope


def member_client(tenant: Tenant, role: Role) -> Client:
    """A browser of somebody new who is signed in and has this role."""
    user = User.objects.create_user(f"{role}@{tenant.pk}.example", "correct horse battery staple", name=f"The {role}")
    with tenant_scope(tenant):
        Membership.objects.create(tenant=tenant, user=user, role=role)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def developer(tenant: Tenant) -> Client:
    return member_client(tenant, Role.DEVELOPER)


@pytest.fixture
def analyst(tenant: Tenant) -> Client:
    return member_client(tenant, Role.ANALYST)
