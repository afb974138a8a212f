"""Who is calling? Looks credentials up before any tenant is known, and answers in plain values for both planes.

Each function opens the REGISTRY scope itself, so none may be called inside a tenant's scope.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import Q

from apps.core import clock, ids
from apps.tenants import api_tokens
from apps.tenants.application_settings import ApplicationSettings
from apps.tenants.models import ApiKey, Application, Credential, Membership, OAuthClient, OAuthToken, Tenant
from apps.tenants.permissions import Role
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope
from apps.tenants.secrets import context_of_secret, unseal_for
from apps.tenants.standing import Standing

if TYPE_CHECKING:
    from apps.accounts.models import User

#: How precisely `last_used_at` is kept, so that a busy key costs one write a minute.
_USE_PRECISION = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ApplicationRecord:
    """credentials: live keys -> secrets in clear. They stay in memory and are never logged or put into Valkey.

    webhook_events: names of the channel events that the data plane notes for the application's webhooks.
    suspended: the tenant may not publish. is_billed: False of the installation's own.
    """

    tenant_id: int
    application_pk: int
    application_id: str
    name: str
    enabled: bool
    region: str
    settings: ApplicationSettings
    credentials: Mapping[str, str]
    webhook_events: frozenset[str] = frozenset()
    suspended: bool = False
    is_billed: bool = True

    def __repr__(self) -> str:
        return f"ApplicationRecord({self.application_id}, tenant_id={self.tenant_id}, keys={list(self.credentials)})"


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What a Bearer token may do: that of a live API key, or the access token of a live OAuth client.

    public_id: of the key or the client, the actor of what it does. region: the tenant's home.
    """

    tenant_id: int
    public_id: str
    name: str
    application_pk: int
    application_id: str
    application_enabled: bool
    region: str
    scopes: frozenset[str]
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """A live OAuth client that has proved itself."""

    tenant_id: int
    client_pk: int
    client_id: str
    application_enabled: bool
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class MembershipRecord:
    """A tenant that a person may enter, and as what. The public ids are the tenant's and the membership's."""

    tenant_id: int
    tenant_public_id: str
    tenant_name: str
    membership_pk: int
    membership_public_id: str
    role: Role
    requires_mfa: bool
    language: str
    timezone: str


def find_application(*, key: str | None = None, application_id: str | None = None) -> ApplicationRecord | None:
    """By the key of a live credential or by application id; None when there is none. A disabled one is found too."""
    if key is not None:
        wanted = Q(credentials__key=key, credentials__revoked_at=None)
    else:
        wanted = Q(application_id=application_id)
    with all_tenants(CrossTenantRole.REGISTRY):
        application = Application.objects.get_queryset().filter(wanted).select_related("tenant").first()
        if application is None:
            return None
        credentials = list(Credential.objects.of(application.tenant_id).filter(
            application=application, revoked_at=None
        ))  # fmt: skip
    return _application_record(application, credentials)


def _application_record(application: Application, credentials: list[Credential]) -> ApplicationRecord:
    tenant: Tenant = application.tenant
    return ApplicationRecord(
        tenant_id=tenant.pk,
        application_pk=application.pk,
        application_id=application.application_id,
        name=application.name,
        enabled=application.is_enabled,
        region=tenant.home_region,
        settings=ApplicationSettings.from_json(application.settings),
        credentials={
            credential.key: unseal_for(tenant, credential.secret_sealed, context=context_of_secret(credential.key))
            for credential in credentials
        },
        webhook_events=frozenset(application.webhook_events),
        suspended=tenant.standing is Standing.SUSPENDED,
    )


def find_bearer(token: str) -> KeyRecord | None:
    """Who a Bearer token speaks for, be it an API key or an OAuth access token; None as for `find_api_key`."""
    return find_access_token(token) if api_tokens.is_access_token(token) else find_api_key(token)


def find_api_key(token: str) -> KeyRecord | None:
    """The live key behind a token, or None: malformed, unknown, expired and revoked look alike. Notes the use."""
    prefix = api_tokens.prefix_of(token)
    if prefix is None:
        return None
    with all_tenants(CrossTenantRole.REGISTRY):
        keys = ApiKey.objects.get_queryset().select_related("application", "tenant")
        api_key = keys.filter(prefix=prefix).first()
    if not api_tokens.matches(token, api_key.hash if api_key else "") or api_key is None or not api_key.is_active:
        return None
    _note_use(api_key)
    application = api_key.application
    return KeyRecord(
        tenant_id=api_key.tenant_id,
        public_id=api_key.public_id,
        name=api_key.name,
        application_pk=application.pk,
        application_id=application.application_id,
        application_enabled=application.is_enabled,
        region=api_key.tenant.home_region,
        scopes=frozenset(api_key.scopes),
        expires_at=api_key.expires_at,
    )


def _note_use(api_key: ApiKey) -> None:
    now = clock.now()
    if api_key.last_used_at is not None and api_key.last_used_at > now - _USE_PRECISION:
        return
    with tenant_scope(api_key.tenant_id):
        stale = Q(last_used_at=None) | Q(last_used_at__lte=now - _USE_PRECISION)
        ApiKey.objects.of(api_key.tenant_id).filter(stale, pk=api_key.pk).update(last_used_at=now)


def find_access_token(token: str) -> KeyRecord | None:
    """The live OAuth token, or None: unknown, expired, revoked or of a revoked client look alike."""
    with all_tenants(CrossTenantRole.REGISTRY):
        tokens = OAuthToken.objects.get_queryset().select_related("client__application__tenant")
        found = tokens.filter(
            hash=api_tokens.hash_of(token), expires_at__gt=clock.now(), client__revoked_at=None
        ).first()
    if found is None:
        return None
    client, application = found.client, found.client.application
    return KeyRecord(
        tenant_id=found.tenant_id,
        public_id=client.public_id,
        name=client.name,
        application_pk=application.pk,
        application_id=application.application_id,
        application_enabled=application.is_enabled,
        region=application.tenant.home_region,
        scopes=frozenset(found.scopes),
        expires_at=found.expires_at,
    )


def find_oauth_client(client_id: str, secret: str) -> ClientRecord | None:
    """The live client whose secret this is, or None: unknown, revoked and a wrong secret look alike."""
    number = ids.decode(OAuthClient.public_id_prefix, client_id)
    if number is None:
        return None
    with all_tenants(CrossTenantRole.REGISTRY):
        client = OAuthClient.objects.get_queryset().select_related("application").filter(pk=number).first()
    if not api_tokens.matches(secret, client.secret_hash if client else "") or client is None or client.revoked_at:
        return None
    return ClientRecord(
        tenant_id=client.tenant_id,
        client_pk=client.pk,
        client_id=client.public_id,
        application_enabled=client.application.is_enabled,
        scopes=frozenset(client.scopes),
    )


def maker_of(*, tenant: Tenant, actor: str) -> User | None:
    """Who made the API key or OAuth client with this public id; None when nobody known did. Expects the tenant's scope.
    What was made with a key has that key's maker."""
    for model in (ApiKey, OAuthClient):
        number = ids.decode(model.public_id_prefix, actor)
        if number is not None:
            row = model.objects.of(tenant).select_related("created_by").filter(pk=number).first()
            return row.created_by if row else None
    return None


def memberships_of(user: User) -> list[MembershipRecord]:
    """Every tenant this person may enter, by name."""
    with all_tenants(CrossTenantRole.REGISTRY):
        memberships = list(
            Membership.objects.get_queryset().filter(user=user).select_related("tenant").order_by("tenant__name", "id")
        )
    return [
        MembershipRecord(
            tenant_id=membership.tenant_id,
            tenant_public_id=membership.tenant.public_id,
            tenant_name=membership.tenant.name,
            membership_pk=membership.pk,
            membership_public_id=membership.public_id,
            role=Role(membership.role),
            requires_mfa=membership.tenant.requires_mfa,
            language=membership.tenant.language,
            timezone=membership.tenant.timezone,
        )
        for membership in memberships
    ]
