"""People at the tenants' door."""

from __future__ import annotations

import time

import pytest
from django.test import Client
from django_otp import DEVICE_ID_SESSION_KEY

from apps.accounts.mfa import PROVED_KEY
from apps.accounts.models import Authenticator, User
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
    _prove(client)
    return client


def _prove(client: Client, authenticator: Authenticator | None = None) -> None:
    """As if the person had just given their code, or their password when they have no authenticator."""
    session = client.session
    session[PROVED_KEY] = time.time()
    if authenticator is not None:
        session[DEVICE_ID_SESSION_KEY] = authenticator.persistent_id
    session.save()


@pytest.fixture
def developer(tenant: Tenant) -> Client:
    return member_client(tenant, Role.DEVELOPER)


@pytest.fixture
def analyst(tenant: Tenant) -> Client:
    return member_client(tenant, Role.ANALYST)


@pytest.fixture
def owner_client(tenant: Tenant, owner: User) -> Client:
    """The owner's browser, with the second factor given."""
    authenticator = Authenticator.objects.create(
        user=owner, name="Phone", confirmed=True, seed_sealed=Authenticator.seal_seed(b"0" * 20, owner.pk)
    )
    client = Client()
    client.force_login(owner)
    _prove(client, authenticator)
    return client
