"""Fixtures that make things: tenants, people, applications. Two of each where a neighbour matters.

Nothing is left in scope unless the test asks for `scope`. A test of a door must not ask for it: the door opens its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test import override_settings
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.operations import translations
from apps.tenants.models import Application, Tenant
from apps.tenants.permissions import KEY_SCOPES
from apps.tenants.scope import tenant_scope
from apps.tenants.services import NewApplication, create_api_key, create_application, open_tenant

PASSWORD = "correct horse battery staple"


@pytest.fixture
def owner(db: None) -> User:
    return User.objects.create_user("owner@acme.example", PASSWORD, name="Olive Owner")


@pytest.fixture
def tenant(owner: User) -> Tenant:
    """A tenant whose only member is `owner`."""
    return open_tenant(name="Acme", owner=owner)


@pytest.fixture
def other_owner(db: None) -> User:
    return User.objects.create_user("owner@globex.example", PASSWORD, name="Otto Other")


@pytest.fixture
def other_tenant(other_owner: User) -> Tenant:
    return open_tenant(name="Globex", owner=other_owner)


@pytest.fixture
def new_application(tenant: Tenant) -> NewApplication:
    """The application of `application` with its key and secret in clear."""
    with tenant_scope(tenant):
        return create_application(tenant=tenant, name="Shop")


@pytest.fixture
def application(new_application: NewApplication) -> Application:
    return new_application.application


@pytest.fixture
def other_new_application(other_tenant: Tenant) -> NewApplication:
    with tenant_scope(other_tenant):
        return create_application(tenant=other_tenant, name="Rival")


@pytest.fixture
def other_application(other_new_application: NewApplication) -> Application:
    return other_new_application.application


@pytest.fixture
def scope(request: pytest.FixtureRequest, tenant: Tenant) -> Iterator[Tenant]:
    """The scope of `tenant`, open during the test. What the test needs of the neighbour is made before it opens."""
    for name in request.fixturenames:
        if name.startswith("other_"):
            request.getfixturevalue(name)
    with tenant_scope(tenant):
        yield tenant


@pytest.fixture
def as_worker(db: None) -> Iterator[None]:
    """The right that the worker's login has over the web's: to borrow `pushsaas_dispatch`. Gone after the test.

    Granted rather than reconnected, because a new connection would not see what the test's transaction made.
    """
    from apps.operations.database import connect_as_admin

    login = settings.DATABASES["default"]["USER"]
    with connect_as_admin() as admin:
        admin.execute(f"GRANT pushsaas_dispatch TO {login} WITH INHERIT FALSE, SET TRUE")
        try:
            with connection.cursor() as cursor:  # a catalogue not looked at yet: makes the session notice the grant
                cursor.execute("SELECT count(*) FROM pg_auth_members")
            yield
        finally:
            admin.execute(f"REVOKE pushsaas_dispatch FROM {login}")


@pytest.fixture
def api_key(tenant: Tenant, application: Application) -> str:
    """The token of a key with every scope."""
    with tenant_scope(tenant):
        return create_api_key(tenant=tenant, application=application, name="Test", scopes=KEY_SCOPES).token


@pytest.fixture
def other_api_key(other_tenant: Tenant, other_application: Application) -> str:
    with tenant_scope(other_tenant):
        return create_api_key(tenant=other_tenant, application=other_application, name="Test", scopes=KEY_SCOPES).token


@pytest.fixture
def api(api_key: str) -> APIClient:
    """A client of the REST API that speaks JSON and carries `api_key`."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {api_key}")
    client.default_format = "json"
    return client


@pytest.fixture
def other_api(other_api_key: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {other_api_key}")
    client.default_format = "json"
    return client


@pytest.fixture
def catalogues(tmp_path: Path) -> Iterator[None]:
    """The translations as committed, whatever is compiled in the source tree."""
    for source in translations.catalogues():
        target = tmp_path / "locale" / source.relative_to(source.parents[2])
        target.parent.mkdir(parents=True)
        translations.compile_catalogue(source, target.with_suffix(".mo"))
    with override_settings(LOCALE_PATHS=[tmp_path / "locale"]):
        yield
