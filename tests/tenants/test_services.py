"""Opening tenants, applications and credentials."""

from __future__ import annotations

import pytest
import redis

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.core.sealing import SealBroken
from apps.tenants import registry
from apps.tenants.errors import ApplicationIdTaken, CredentialKeyTaken, TooManyCredentials
from apps.tenants.models import Application, Credential, Membership, Tenant
from apps.tenants.queries import find_application, memberships_of
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope
from apps.tenants.secrets import context_of_secret, unseal_for
from apps.tenants.services import (
    NewApplication,
    add_credential,
    create_application,
    open_tenant,
    revoke_credential,
    update_application,
    update_application_settings,
)
from apps.tenants.services.applications import MAX_CREDENTIALS

pytestmark = pytest.mark.django_db


def test_opening_a_tenant_makes_its_first_owner(tenant: Tenant, owner: User) -> None:
    with tenant_scope(tenant):
        assert list(Membership.objects.of(tenant).values_list("user", "role")) == [(owner.pk, "owner")]
    assert [(record.tenant_name, record.role) for record in memberships_of(owner)] == [("Acme", "owner")]


@pytest.mark.parametrize("name", ["", "   ", "x" * 121, "a\nb", "a\x00b", "\ud800"])
def test_opening_a_tenant_refuses_a_name_nobody_can_read(owner: User, name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        open_tenant(name=name, owner=owner)
    assert list(refused.value.fields) == ["name"]
    assert memberships_of(owner) == []


@pytest.mark.parametrize(("field", "value"), [("language", "xx"), ("timezone", "Mars/Olympus")])
def test_opening_a_tenant_refuses_what_it_does_not_know(owner: User, field: str, value: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        open_tenant(name="Acme", owner=owner, **{field: value})
    assert list(refused.value.fields) == [field]


def test_an_application_is_found_by_its_id_and_by_its_key(new_application: NewApplication, tenant: Tenant) -> None:
    record = find_application(application_id=new_application.application.application_id)
    assert record is not None
    assert record == find_application(key=new_application.key)
    assert (record.tenant_id, record.name, record.enabled) == (tenant.pk, "Shop", True)
    assert dict(record.credentials) == {new_application.key: new_application.secret}
    assert new_application.secret not in repr(record)


def test_application_ids_are_decimal_numbers_of_nine_or_ten_digits(application: Application) -> None:
    assert application.application_id.isdecimal()
    assert len(application.application_id) in {9, 10}


def test_an_unknown_application_is_not_found(application: Application) -> None:
    assert find_application(application_id="1") is None
    assert find_application(key="nobody") is None


def test_given_ids_are_kept(scope: Tenant) -> None:
    made = create_application(tenant=scope, name="Fixed", application_id="42", key="a-key", secret="a-secret-1")
    assert (made.application.application_id, made.key, made.secret) == ("42", "a-key", "a-secret-1")


def test_an_application_id_of_another_tenant_is_taken(scope: Tenant, other_application: Application) -> None:
    with pytest.raises(ApplicationIdTaken):
        create_application(tenant=scope, name="Copy", application_id=other_application.application_id)
    assert not Application.objects.of(scope).exists()


def test_a_taken_key_leaves_no_application_behind(scope: Tenant, other_new_application: NewApplication) -> None:
    with pytest.raises(CredentialKeyTaken):
        create_application(tenant=scope, name="Copy", key=other_new_application.key)
    assert not Application.objects.of(scope).exists()


@pytest.mark.parametrize(
    "given",
    [{"application_id": "12a"}, {"application_id": ""}, {"application_id": "1" * 21}, {"key": "a/b"}, {"key": ""},
     {"secret": "short"}, {"secret": "with space in it"}, {"name": ""}],
)  # fmt: skip
def test_ids_that_clients_could_not_use_are_refused(scope: Tenant, given: dict[str, str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        create_application(**{"tenant": scope, "name": "Shop", **given})  # type: ignore[arg-type]
    assert list(refused.value.fields) == list(given)
    assert not Application.objects.of(scope).exists()


def test_a_secret_does_not_lie_in_clear_and_opens_for_its_tenant_only(
    new_application: NewApplication, tenant: Tenant, other_tenant: Tenant
) -> None:
    with tenant_scope(tenant):
        sealed = Credential.objects.of(tenant).get().secret_sealed
    context = context_of_secret(new_application.key)
    assert new_application.secret not in sealed
    assert unseal_for(tenant, sealed, context=context) == new_application.secret
    with pytest.raises(SealBroken):
        unseal_for(other_tenant, sealed, context=context)
    with pytest.raises(SealBroken):
        unseal_for(tenant, sealed, context=context_of_secret("another-key"))


def test_a_revoked_credential_signs_nothing_and_the_new_one_does(
    new_application: NewApplication, tenant: Tenant
) -> None:
    with tenant_scope(tenant):
        old = Credential.objects.of(tenant).get()
        fresh = add_credential(tenant=tenant, application=new_application.application)
        revoke_credential(tenant=tenant, credential=old)
        revoke_credential(tenant=tenant, credential=old)
    assert find_application(key=new_application.key) is None
    record = find_application(key=fresh.key)
    assert record is not None
    assert dict(record.credentials) == {fresh.key: fresh.secret}


def test_credentials_of_an_application_are_bounded(scope: Tenant, application: Application) -> None:
    for _ in range(MAX_CREDENTIALS - 1):
        add_credential(tenant=scope, application=application)
    with pytest.raises(TooManyCredentials):
        add_credential(tenant=scope, application=application)


def test_settings_change_only_what_is_given(application: Application, tenant: Tenant) -> None:
    with tenant_scope(tenant):
        update_application_settings(tenant=tenant, application=application, settings={"max_connections": 5})
        update_application_settings(tenant=tenant, application=application, settings={"client_events": False})
    record = find_application(application_id=application.application_id)
    assert record is not None
    assert (record.settings.max_connections, record.settings.client_events) == (5, False)
    assert record.settings.history_size == 300


def test_settings_do_not_undo_what_another_request_set(application: Application, scope: Tenant) -> None:
    stale = Application.objects.of(scope).get(pk=application.pk)
    update_application_settings(tenant=scope, application=application, settings={"max_connections": 5})
    changed = update_application_settings(tenant=scope, application=stale, settings={"history_size": 7})
    assert changed.settings == {"max_connections": 5, "history_size": 7}


@pytest.mark.parametrize(
    "settings",
    [{"max_connections": -1}, {"max_connections": True}, {"max_connections": "5"}, {"max_event_bytes": 10**9},
     {"client_events": 1}, {"nonsense": 1}, {"latest_only_channels": "a#b"}, {"latest_only_channels": 1},
     {"latest_only_channels": "a*b*c*d*"}, {"latest_only_channels": "a " * 51}],
)  # fmt: skip
def test_settings_out_of_bounds_change_nothing(
    scope: Tenant, application: Application, settings: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput) as refused:
        update_application_settings(tenant=scope, application=application, settings=settings)
    assert list(refused.value.fields) == list(settings)
    assert application.refreshed().settings == {}


def test_a_disabled_application_is_found_as_disabled(application: Application, tenant: Tenant) -> None:
    with tenant_scope(tenant):
        update_application(tenant=tenant, application=application, name="Closed", is_enabled=False)
    record = find_application(application_id=application.application_id)
    assert record is not None
    assert (record.name, record.enabled) == ("Closed", False)


def test_a_change_rings_the_registry_after_the_commit(
    application: Application, tenant: Tenant, region: str, monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks,
) -> None:  # fmt: skip
    rung: list[tuple[str, str]] = []
    monkeypatch.setattr(registry, "_ring", lambda *arguments: rung.append(arguments))
    with django_capture_on_commit_callbacks(execute=True):
        with tenant_scope(tenant):
            add_credential(tenant=tenant, application=application)
        assert rung == []
    assert rung == [(region, application.application_id)]


def test_a_doorbell_that_fails_does_no_harm(
    application: Application, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks
) -> None:
    def away(region: str) -> redis.Redis:
        raise redis.ConnectionError

    monkeypatch.setattr(registry.valkey, "connect", away)
    with django_capture_on_commit_callbacks(execute=True) as callbacks, tenant_scope(tenant):
        add_credential(tenant=tenant, application=application)
    assert len(callbacks) == 1


@pytest.mark.usefixtures("as_worker")
def test_the_worker_may_borrow_dispatch(tenant: Tenant) -> None:
    with all_tenants(CrossTenantRole.DISPATCH):
        pass
