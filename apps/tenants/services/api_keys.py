"""API keys: made once, shown once, revoked for good."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import InvalidInput
from apps.core.text import require_name
from apps.tenants.api_tokens import new_token
from apps.tenants.models import ApiKey, Application, Tenant
from apps.tenants.permissions import KEY_SCOPES
from apps.tenants.registry import announce_change
from apps.tenants.services.audit import SYSTEM, record_audit
from apps.tenants.services.scopes import require_scopes


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """token: in clear, for the one time it is shown."""

    api_key: ApiKey
    token: str


def create_api_key(
    *,
    tenant: Tenant,
    application: Application,
    name: str,
    scopes: Collection[str],
    created_by: User | None = None,
    expires_at: datetime | None = None,
    allowed: Collection[str] = KEY_SCOPES,
    actor: str = SYSTEM,
) -> NewApiKey:
    """scopes: names out of KEY_SCOPES, at least one. allowed: what the maker may hand on.

    Raises InvalidInput, ScopeNotAllowed.
    """
    name = require_name(name)
    require_scopes(scopes, allowed)
    if expires_at is not None and expires_at <= clock.now():
        raise InvalidInput(_("The key would never work."), fields={"expires_at": [_("Choose a time to come.")]})
    made = new_token()
    api_key = ApiKey.objects.create(
        tenant=tenant, application=application, name=name, prefix=made.prefix, hash=made.hash,
        scopes=sorted(set(scopes)), created_by=created_by, expires_at=expires_at,
    )  # fmt: skip
    record_audit(
        tenant=tenant, actor=actor, action="api_key.created", target=api_key.public_id,
        facts={"name": name, "scopes": api_key.scopes},
    )  # fmt: skip
    return NewApiKey(api_key, made.token)


def revoke_api_key(*, tenant: Tenant, api_key: ApiKey, actor: str = SYSTEM) -> None:
    """From the commit on the token opens nothing. Revoking twice is harmless."""
    live = ApiKey.objects.of(tenant).filter(pk=api_key.pk, revoked_at=None)
    if not live.update(revoked_at=clock.now(), updated_at=clock.now()):
        return
    announce_change(api_key.application)
    record_audit(tenant=tenant, actor=actor, action="api_key.revoked", target=api_key.public_id)
