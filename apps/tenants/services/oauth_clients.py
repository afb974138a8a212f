"""OAuth 2.0 clients: made once, secret shown once, revoked for good; and the short-lived tokens they are given."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from apps.accounts.models import User
from apps.core import clock
from apps.core.text import require_name
from apps.tenants.api_tokens import hash_of, new_client_secret
from apps.tenants.errors import OAuthClientRevoked
from apps.tenants.models import Application, OAuthClient, OAuthToken, Tenant
from apps.tenants.permissions import KEY_SCOPES
from apps.tenants.queries import ClientRecord
from apps.tenants.registry import announce_change
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope
from apps.tenants.services.audit import SYSTEM, record_audit
from apps.tenants.services.scopes import require_scopes

ACCESS_TOKEN_LIFETIME = timedelta(seconds=900)
_FORGOTTEN_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class NewOAuthClient:
    """secret: in clear, for the one time it is shown."""

    client: OAuthClient
    secret: str


def create_oauth_client(
    *,
    tenant: Tenant,
    application: Application,
    name: str,
    scopes: Collection[str],
    created_by: User | None = None,
    allowed: Collection[str] = KEY_SCOPES,
    actor: str = SYSTEM,
) -> NewOAuthClient:
    """scopes, allowed: as for create_api_key; a token of the client carries some of them. Raises as it does."""
    name = require_name(name)
    require_scopes(scopes, allowed)
    secret = new_client_secret()
    client = OAuthClient.objects.create(
        tenant=tenant, application=application, name=name, secret_hash=hash_of(secret), scopes=sorted(set(scopes)),
        created_by=created_by,
    )  # fmt: skip
    record_audit(
        tenant=tenant, actor=actor, action="oauth_client.created", target=client.public_id,
        facts={"name": name, "scopes": client.scopes},
    )  # fmt: skip
    return NewOAuthClient(client, secret)


def revoke_oauth_client(*, tenant: Tenant, client: OAuthClient, actor: str = SYSTEM) -> None:
    """From the commit on neither its secret nor any of its tokens opens anything. Revoking twice is harmless."""
    live = OAuthClient.objects.of(tenant).filter(pk=client.pk, revoked_at=None)
    if not live.update(revoked_at=clock.now(), updated_at=clock.now()):
        return
    OAuthToken.objects.of(tenant).filter(client=client).delete()
    announce_change(client.application)
    record_audit(tenant=tenant, actor=actor, action="oauth_client.revoked", target=client.public_id)


def keep_access_token(*, client: ClientRecord, token: str, scopes: Collection[str]) -> None:
    """From the commit on the token opens what its scopes say, for ACCESS_TOKEN_LIFETIME. Opens the scope itself.

    Raises OAuthClientRevoked.
    """
    now = clock.now()
    with tenant_scope(client.tenant_id):
        # Takes the row's lock, so that a revocation comes before, and is seen, or after, and finds the token.
        live = OAuthClient.objects.of(client.tenant_id).filter(pk=client.client_pk, revoked_at=None)
        if not live.update(last_used_at=now):
            raise OAuthClientRevoked
        OAuthToken.objects.create(
            tenant_id=client.tenant_id, client_id=client.client_pk, hash=hash_of(token), scopes=sorted(set(scopes)),
            created_at=now, expires_at=now + ACCESS_TOKEN_LIFETIME,
        )  # fmt: skip


def revoke_access_token(*, client: ClientRecord, token: str) -> None:
    """Opens the scope itself. A token that is unknown or another client's is left alone, and nobody is told."""
    with tenant_scope(client.tenant_id):
        tokens = OAuthToken.objects.of(client.tenant_id).filter(client_id=client.client_pk, hash=hash_of(token))
        held = tokens.select_related("client__application__tenant").first()
        if held is not None:
            held.delete()
            announce_change(held.client.application)


def forget_expired_tokens() -> int:
    """Deletes a bounded number of expired tokens, of all tenants. Opens the DISPATCH scope itself."""
    with all_tenants(CrossTenantRole.DISPATCH):
        expired = OAuthToken.objects.get_queryset().filter(expires_at__lte=clock.now())
        oldest = expired.order_by("expires_at").values("pk")[:_FORGOTTEN_AT_ONCE]
        deleted, _per_model = OAuthToken.objects.get_queryset().filter(pk__in=oldest).delete()
    return deleted
