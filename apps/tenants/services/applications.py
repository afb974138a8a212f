"""Applications, their settings and the key/secret pairs that sign for them."""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.core import clock
from apps.core.errors import InvalidInput
from apps.core.text import require_name
from apps.tenants.application_settings import ApplicationSettings, problems_in
from apps.tenants.errors import ApplicationIdTaken, CredentialKeyTaken, TooManyCredentials
from apps.tenants.models import Application, Credential, Tenant
from apps.tenants.registry import announce_change
from apps.tenants.secrets import context_of_secret, seal_for
from apps.tenants.services.audit import SYSTEM, record_audit

#: Live pairs of one application: two are a rotation, the rest is slack.
MAX_CREDENTIALS = 10
_DRAWS = 5


@dataclass(frozen=True, slots=True)
class NewCredential:
    """secret: in clear, for the one time it is shown."""

    credential: Credential
    key: str
    secret: str


@dataclass(frozen=True, slots=True)
class NewApplication:
    application: Application
    key: str
    secret: str


def create_application(
    *,
    tenant: Tenant,
    name: str,
    application_id: str | None = None,
    key: str | None = None,
    secret: str | None = None,
    actor: str = SYSTEM,
) -> NewApplication:
    """An application with its first credential. The three optional values serve clients whose keys are fixed.

    application_id: 1-20 digits. key: 1-64 of [0-9A-Za-z_-]. secret: 8-128 printable ASCII characters.
    Raises InvalidInput, ApplicationIdTaken, CredentialKeyTaken.
    """
    name = require_name(name)
    if application_id is not None:
        _require_match("application_id", application_id, r"[0-9]{1,20}", _("Use 1 to 20 digits."))
    with transaction.atomic():
        application = _insert_application(tenant, name, application_id)
        made = add_credential(tenant=tenant, application=application, key=key, secret=secret, actor=actor)
        record_audit(
            tenant=tenant, actor=actor, action="application.created", target=application.public_id,
            facts={"application_id": application.application_id, "name": name},
        )  # fmt: skip
    return NewApplication(application, made.key, made.secret)


def _insert_application(tenant: Tenant, name: str, wanted: str | None) -> Application:
    for _draw in range(_DRAWS):
        application_id = wanted or str(secrets.randbelow(10**10 - 10**8) + 10**8)
        try:
            with transaction.atomic():
                return Application.objects.create(tenant=tenant, name=name, application_id=application_id)
        except IntegrityError:
            if wanted:
                break
    raise ApplicationIdTaken(fields={"application_id": [ApplicationIdTaken.default_message]})


def update_application(
    *,
    tenant: Tenant,
    application: Application,
    name: str | None = None,
    is_enabled: bool | None = None,
    settings: Mapping[str, Any] | None = None,
    actor: str = SYSTEM,
) -> Application:
    """Changes what is given and leaves the rest. settings: as for update_application_settings. Raises InvalidInput."""
    # Locked and read again, because settings that are not named stay as somebody else may just have set them.
    application.refresh_from_db(from_queryset=Application.objects.of(tenant).select_for_update(no_key=True))
    changes: dict[str, Any] = {}
    if name is not None:
        changes["name"] = require_name(name)
    if is_enabled is not None:
        changes["is_enabled"] = is_enabled
    if settings is not None:
        changes["settings"] = _changed_settings(application, settings).to_json()
    if changes:
        application.changed(**changes)
        announce_change(application)
        record_audit(
            tenant=tenant, actor=actor, action="application.updated", target=application.public_id, facts=changes
        )
    return application


def update_application_settings(
    *, tenant: Tenant, application: Application, settings: Mapping[str, Any], actor: str = SYSTEM
) -> Application:
    """settings: name of an ApplicationSettings field -> new value; names not given stay. Raises InvalidInput."""
    return update_application(tenant=tenant, application=application, settings=settings, actor=actor)


def set_webhook_events(*, tenant: Tenant, application: Application, events: Collection[str]) -> None:
    """Which channel events the data plane notes from now on. The caller holds the application's row."""
    wanted = sorted(events)
    if Application.objects.of(tenant).filter(pk=application.pk).exclude(webhook_events=wanted).update(
        webhook_events=wanted, updated_at=clock.now()
    ):  # fmt: skip
        announce_change(application)


def _changed_settings(application: Application, changes: Mapping[str, Any]) -> ApplicationSettings:
    problems = problems_in(changes)
    if problems:
        raise InvalidInput(_("Some settings cannot be used."), fields=problems)
    return replace(ApplicationSettings.from_json(application.settings), **changes)


def add_credential(
    *,
    tenant: Tenant,
    application: Application,
    key: str | None = None,
    secret: str | None = None,
    actor: str = SYSTEM,
) -> NewCredential:
    """One more key and secret; the old ones keep working, so that clients can be moved one by one."""
    key = secrets.token_hex(10) if key is None else key
    secret = secrets.token_hex(20) if secret is None else secret
    _require_match("key", key, r"[0-9A-Za-z_-]{1,64}", _("Use 1 to 64 letters, digits, - or _."))
    _require_match("secret", secret, r"[!-~]{8,128}", _("Use 8 to 128 printable ASCII characters."))
    Application.objects.of(tenant).select_for_update(no_key=True).get(pk=application.pk)  # else two pass the limit
    if Credential.objects.of(tenant).filter(application=application, revoked_at=None).count() >= MAX_CREDENTIALS:
        raise TooManyCredentials
    sealed = seal_for(tenant, secret, context=context_of_secret(key))
    try:
        with transaction.atomic():
            credential = Credential.objects.create(
                tenant=tenant, application=application, key=key, secret_sealed=sealed
            )
    except IntegrityError:
        raise CredentialKeyTaken(fields={"key": [CredentialKeyTaken.default_message]}) from None
    announce_change(application)
    record_audit(tenant=tenant, actor=actor, action="credential.added", target=credential.public_id)
    return NewCredential(credential, key, secret)


def revoke_credential(*, tenant: Tenant, credential: Credential, actor: str = SYSTEM) -> None:
    """From the commit on the pair signs nothing. Revoking twice is harmless."""
    live = Credential.objects.of(tenant).filter(pk=credential.pk, revoked_at=None)
    if not live.update(revoked_at=clock.now(), updated_at=clock.now()):
        return
    announce_change(credential.application)
    record_audit(tenant=tenant, actor=actor, action="credential.revoked", target=credential.public_id)


def _require_match(field: str, value: str, pattern: str, problem: str) -> None:
    if not re.fullmatch(pattern, value):
        raise InvalidInput(_("The %(field)s cannot be used.") % {"field": field}, fields={field: [problem]})
