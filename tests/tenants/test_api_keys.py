"""API keys: the token's form, who may be identified by it, and how its use is noted."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine

from apps.core import clock
from apps.core.errors import InvalidInput
from apps.tenants import api_tokens
from apps.tenants.errors import ScopeNotAllowed
from apps.tenants.models import ApiKey, Application, Tenant
from apps.tenants.queries import find_api_key
from apps.tenants.scope import tenant_scope
from apps.tenants.services import create_api_key, revoke_api_key, update_application

pytestmark = pytest.mark.django_db


def the_key(tenant: Tenant) -> ApiKey:
    with tenant_scope(tenant):
        return ApiKey.objects.of(tenant).get()


def test_a_token_has_the_form_that_secret_scanners_look_for() -> None:
    token = api_tokens.new_token().token
    assert re.fullmatch(r"psk_(live|test)_[0-9A-Za-z]{8}_[0-9A-Za-z]{38}", token)
    assert api_tokens.prefix_of(token) == token[9:17]


@pytest.mark.parametrize("position", [0, 5, 12, 17, 30, 54, 55])
def test_a_mistyped_token_is_refused_by_its_checksum(position: int) -> None:
    token = api_tokens.new_token().token
    wrong = "A" if token[position] != "A" else "B"
    assert api_tokens.prefix_of(token[:position] + wrong + token[position + 1 :]) is None


def test_only_a_hash_of_the_token_is_kept(api_key: str, tenant: Tenant) -> None:
    row = the_key(tenant)
    kept = " ".join(str(value) for value in vars(row).values())
    assert api_key[18:] not in kept
    assert row.hash == api_tokens.hash_of(api_key)


def test_a_live_key_identifies_its_application(api_key: str, tenant: Tenant, application: Application) -> None:
    record = find_api_key(api_key)
    assert record is not None
    assert (record.tenant_id, record.application_pk, record.application_enabled) == (tenant.pk, application.pk, True)
    assert "audience.write" in record.scopes


def test_another_secret_behind_the_same_prefix_is_refused(api_key: str) -> None:
    forged = api_key[:18] + "0" * 32
    assert find_api_key(forged + api_tokens._checksum(forged)) is None


@pytest.mark.parametrize("token", ["", "psk_live_", "Bearer", "psk_live_12345678_" + "0" * 38, "é" * 56, "x" * 100_000])
def test_what_is_not_a_token_is_refused(api_key: str, token: str) -> None:
    assert find_api_key(token) is None


def test_a_revoked_key_opens_nothing(api_key: str, tenant: Tenant) -> None:
    with tenant_scope(tenant):
        revoke_api_key(tenant=tenant, api_key=ApiKey.objects.of(tenant).get())
        revoke_api_key(tenant=tenant, api_key=ApiKey.objects.of(tenant).get())
    assert find_api_key(api_key) is None


def test_a_key_expires(tenant: Tenant, application: Application) -> None:
    with tenant_scope(tenant):
        token = create_api_key(
            tenant=tenant, application=application, name="Trial", scopes=["publish"],
            expires_at=clock.now() + timedelta(hours=1),
        ).token  # fmt: skip
    assert find_api_key(token) is not None
    with time_machine.travel(clock.now() + timedelta(hours=1)):
        assert find_api_key(token) is None


def test_use_is_noted_at_most_once_a_minute(api_key: str, tenant: Tenant) -> None:
    start = clock.now()
    noted = []
    for seconds in (0, 59, 60):
        with time_machine.travel(start + timedelta(seconds=seconds), tick=False):
            find_api_key(api_key)
        noted.append(the_key(tenant).last_used_at)
    assert noted == [start, start, start + timedelta(seconds=60)]


def test_a_key_of_a_disabled_application_says_so(api_key: str, tenant: Tenant, application: Application) -> None:
    with tenant_scope(tenant):
        update_application(tenant=tenant, application=application, is_enabled=False)
    record = find_api_key(api_key)
    assert record is not None
    assert not record.application_enabled


@pytest.mark.parametrize("scopes", [[], ["tenant.delete"], ["publish", "everything"]])
def test_scopes_that_no_key_may_have_are_refused(scope: Tenant, application: Application, scopes: list[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        create_api_key(tenant=scope, application=application, name="Key", scopes=scopes)
    assert list(refused.value.fields) == ["scopes"]
    assert not ApiKey.objects.of(scope).exists()


def test_a_key_cannot_give_more_than_its_maker_may(scope: Tenant, application: Application) -> None:
    with pytest.raises(ScopeNotAllowed):
        create_api_key(
            tenant=scope, application=application, name="Key", scopes=["publish", "usage.read"], allowed=["publish"]
        )
    assert not ApiKey.objects.of(scope).exists()


def test_a_key_that_would_never_work_is_refused(scope: Tenant, application: Application) -> None:
    with pytest.raises(InvalidInput) as refused:
        create_api_key(tenant=scope, application=application, name="Key", scopes=["publish"], expires_at=clock.now())
    assert list(refused.value.fields) == ["expires_at"]
