"""OAuth clients and their tokens: who is identified by them, and until when."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine

from apps.core import clock
from apps.core.errors import InvalidInput
from apps.tenants import api_tokens
from apps.tenants.api_tokens import new_access_token
from apps.tenants.errors import OAuthClientRevoked, ScopeNotAllowed
from apps.tenants.models import Application, AuditEntry, OAuthClient, OAuthToken, Tenant
from apps.tenants.queries import ClientRecord, find_bearer, find_oauth_client
from apps.tenants.scope import tenant_scope
from apps.tenants.services import (
    NewOAuthClient,
    create_oauth_client,
    forget_expired_tokens,
    keep_access_token,
    revoke_access_token,
    revoke_oauth_client,
)

pytestmark = pytest.mark.django_db
SCOPES = ["publish", "usage.read"]


@pytest.fixture
def made(tenant: Tenant, application: Application) -> NewOAuthClient:
    with tenant_scope(tenant):
        return create_oauth_client(tenant=tenant, application=application, name="Gateway", scopes=SCOPES, actor="usr_1")


def proved(made: NewOAuthClient) -> ClientRecord:
    found = find_oauth_client(made.client.public_id, made.secret)
    assert found is not None
    return found


def issued(client: ClientRecord, *scopes: str) -> str:
    token = new_access_token()
    keep_access_token(client=client, token=token, scopes=scopes)
    return token


def test_secrets_and_tokens_have_the_form_that_secret_scanners_look_for() -> None:
    for text in (api_tokens.new_client_secret(), api_tokens.new_access_token()):
        assert re.fullmatch(r"ps[st]_[0-9A-Za-z]{38}", text)


def test_a_client_is_proved_by_its_secret_alone(made: NewOAuthClient, tenant: Tenant) -> None:
    assert proved(made).scopes == set(SCOPES)
    assert proved(made).tenant_id == tenant.pk
    assert find_oauth_client(made.client.public_id, api_tokens.new_client_secret()) is None
    assert find_oauth_client(made.client.public_id, "") is None
    assert find_oauth_client("ocl_" + "0" * 22, made.secret) is None
    assert find_oauth_client("", made.secret) is None


def test_neither_secret_nor_token_is_kept(made: NewOAuthClient, tenant: Tenant) -> None:
    token = issued(proved(made), "publish")
    with tenant_scope(tenant):
        rows = [OAuthClient.objects.of(tenant).get(), OAuthToken.objects.of(tenant).get()]
    kept = " ".join(str(value) for row in rows for value in vars(row).values())
    assert made.secret[4:] not in kept
    assert token[4:] not in kept
    assert api_tokens.hash_of(token) in kept


def test_a_token_speaks_for_the_clients_application_with_its_own_scopes(
    made: NewOAuthClient, tenant: Tenant, application: Application
) -> None:
    record = find_bearer(issued(proved(made), "publish"))
    assert record is not None
    assert (record.tenant_id, record.application_pk) == (tenant.pk, application.pk)
    assert (record.public_id, record.scopes) == (made.client.public_id, {"publish"})


def test_a_token_expires_after_900_seconds(made: NewOAuthClient) -> None:
    with time_machine.travel(clock.now(), tick=False):
        token = issued(proved(made), "publish")
    with time_machine.travel(clock.now() + timedelta(seconds=898)):
        assert find_bearer(token) is not None
    with time_machine.travel(clock.now() + timedelta(seconds=900)):
        assert find_bearer(token) is None


@pytest.mark.parametrize("token", ["", "pst_", "pst_" + "0" * 38, "pst_" + "é" * 38, "x" * 100_000])
def test_what_is_not_a_token_is_refused(made: NewOAuthClient, token: str) -> None:
    issued(proved(made), "publish")
    assert find_bearer(token) is None


def test_an_api_key_is_a_bearer_too(api_key: str) -> None:
    assert find_bearer(api_key) is not None


def test_a_revoked_client_and_its_tokens_open_nothing(made: NewOAuthClient, tenant: Tenant) -> None:
    client = proved(made)
    tokens = [issued(client, "publish"), issued(client, "usage.read")]
    with tenant_scope(tenant):
        revoke_oauth_client(tenant=tenant, client=made.client, actor="usr_1")
        revoke_oauth_client(tenant=tenant, client=made.client, actor="usr_1")
        assert not OAuthToken.objects.of(tenant).exists()
        written = AuditEntry.objects.of(tenant).filter(target=made.client.public_id).order_by("pk")
        assert [(entry.action, entry.actor) for entry in written] == [
            ("oauth_client.created", "usr_1"), ("oauth_client.revoked", "usr_1"),
        ]  # fmt: skip
    assert [find_bearer(token) for token in tokens] == [None, None]
    assert find_oauth_client(made.client.public_id, made.secret) is None


def test_a_client_that_was_revoked_meanwhile_gets_no_token(made: NewOAuthClient, tenant: Tenant) -> None:
    client = proved(made)
    with tenant_scope(tenant):
        revoke_oauth_client(tenant=tenant, client=made.client)
    with pytest.raises(OAuthClientRevoked):
        issued(client, "publish")


def test_one_token_is_revoked_and_the_others_stay(made: NewOAuthClient) -> None:
    client = proved(made)
    gone, stays = issued(client, "publish"), issued(client, "publish")
    revoke_access_token(client=client, token=gone)
    revoke_access_token(client=client, token=gone)
    assert find_bearer(gone) is None
    assert find_bearer(stays) is not None


def test_nobody_revokes_the_tokens_of_another_client(
    made: NewOAuthClient, tenant: Tenant, application: Application, other_tenant: Tenant, other_application: Application
) -> None:
    token = issued(proved(made), "publish")
    for owner, place in ((tenant, application), (other_tenant, other_application)):
        with tenant_scope(owner):
            stranger = create_oauth_client(tenant=owner, application=place, name="Stranger", scopes=SCOPES)
        revoke_access_token(client=proved(stranger), token=token)
    assert find_bearer(token) is not None


@pytest.mark.parametrize("scopes", [[], ["tenant.delete"], ["publish", "everything"]])
def test_scopes_that_no_client_may_have_are_refused(scope: Tenant, application: Application, scopes: list[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        create_oauth_client(tenant=scope, application=application, name="Gateway", scopes=scopes)
    assert list(refused.value.fields) == ["scopes"]
    assert not OAuthClient.objects.of(scope).exists()


def test_a_client_cannot_be_given_more_than_its_maker_may(scope: Tenant, application: Application) -> None:
    with pytest.raises(ScopeNotAllowed):
        create_oauth_client(tenant=scope, application=application, name="G", scopes=SCOPES, allowed=["publish"])
    assert not OAuthClient.objects.of(scope).exists()


@pytest.mark.usefixtures("as_worker")
def test_expired_tokens_are_swept_and_live_ones_stay(made: NewOAuthClient, tenant: Tenant) -> None:
    client = proved(made)
    with time_machine.travel(clock.now() - timedelta(seconds=901)):
        issued(client, "publish")
    stays = issued(client, "publish")
    assert forget_expired_tokens() == 1
    assert forget_expired_tokens() == 0
    with tenant_scope(tenant):
        assert OAuthToken.objects.of(tenant).get().hash == api_tokens.hash_of(stays)
