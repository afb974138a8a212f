"""Who calls: a Pusher signature made with one of the application's secrets, or a Bearer API key with the scope."""

from __future__ import annotations

import time

from apps.realtime.errors import ApplicationDisabled, NotAuthentic, ScopeMissing, TlsRequired, UnknownApplication
from apps.realtime.http.messages import Request
from apps.realtime.protocol.signing import SignedRequest, why_not_signed
from apps.realtime.registry import Registry
from apps.tenants.errors import TenantSuspended
from apps.tenants.queries import ApplicationRecord

#: The scope of every call that puts something on a channel.
PUBLISH = "publish"
_BEARER = "bearer "


async def identify(
    registry: Registry, request: Request, application_id: str | None, *, scope: str
) -> ApplicationRecord:
    """The application this request may act for. application_id: from the path; None where the path has none.

    scope: what a Bearer key must carry. Raises UnknownApplication, NotAuthentic, ScopeMissing, ApplicationDisabled,
    TlsRequired, TenantSuspended.
    """
    authorization = request.header(b"authorization")
    if authorization.lower().startswith(_BEARER):
        record = await _by_api_key(registry, authorization[len(_BEARER) :].strip(), application_id, scope)
    else:
        record = await _by_signature(registry, request, application_id)
    check_open(record, request)
    if record.suspended and scope == PUBLISH:
        raise TenantSuspended
    return record


def check_open(record: ApplicationRecord, request: Request) -> None:
    """Raises ApplicationDisabled, TlsRequired."""
    if not record.enabled:
        raise ApplicationDisabled
    if record.settings.tls_required and not request.is_secure:
        raise TlsRequired


async def _by_api_key(registry: Registry, token: str, application_id: str | None, scope: str) -> ApplicationRecord:
    key = await registry.api_key(token)
    if key is None or (key.expires_at is not None and key.expires_at.timestamp() <= time.time()):
        raise NotAuthentic
    if application_id not in (None, key.application_id):
        raise UnknownApplication  # another's application looks like none
    if scope not in key.scopes:
        raise ScopeMissing(details={"scope": scope})
    record = await registry.application(key.application_id)
    if record is None:
        raise UnknownApplication
    return record


async def _by_signature(registry: Registry, request: Request, application_id: str | None) -> ApplicationRecord:
    if application_id is None:
        record = await registry.application_by_key(request.parameters().get("auth_key", ""))
    else:
        record = await registry.application(application_id)
    if record is None:
        raise NotAuthentic if application_id is None else UnknownApplication
    signed = SignedRequest(request.method, request.path, request.query, request.body)
    why = why_not_signed(signed, record.credentials, time.time())
    if why is not None:
        raise NotAuthentic(why)
    return record
