"""Who calls, and for which application: always told by the credential, never by a parameter."""

from __future__ import annotations

from dataclasses import dataclass

from apps.api.errors import Unauthenticated
from apps.realtime.errors import ApplicationDisabled
from apps.tenants.models import Application, Tenant
from apps.tenants.queries import KeyRecord, find_bearer


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller, inside the open scope of its tenant. actor: public id of the key or OAuth client."""

    tenant: Tenant
    application: Application
    scopes: frozenset[str]
    actor: str

    @property
    def tenant_id(self) -> int:
        return self.tenant.pk


def identify(authorization: str) -> KeyRecord:
    """authorization: the header's value. Raises Unauthenticated, the same for every reason, or ApplicationDisabled."""
    scheme, _space, token = authorization.partition(" ")
    key = find_bearer(token.strip()) if scheme.lower() == "bearer" else None
    if key is None:
        raise Unauthenticated
    if not key.application_enabled:
        raise ApplicationDisabled
    return key


def principal_of(key: KeyRecord) -> Principal:
    """Loads the caller's rows; the scope of its tenant must be open."""
    application = Application.objects.of(key.tenant_id).select_related("tenant").get(pk=key.application_pk)
    return Principal(application.tenant, application, key.scopes, key.public_id)
