"""Saving, pausing and opening the accounts that tenants have with networks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

import orjson
from django.utils.translation import gettext as _

from apps.core import clock
from apps.core.text import require_name
from apps.providers import proxies
from apps.providers.base import Credential, CredentialField, Needs, Sender
from apps.providers.certificates import earliest, end_of_certificates
from apps.providers.errors import CredentialRetired, UnknownField
from apps.providers.models import ProviderCredential
from apps.providers.registry import needs_of, open_provider
from apps.providers.webpush.vapid import new_private_key
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope
from apps.tenants.secrets import seal_for, unseal_for
from apps.tenants.services.audit import SYSTEM, record_audit

WEBPUSH = "webpush"


def save_credential(
    *,
    tenant: Tenant,
    application: Application,
    provider: str,
    name: str,
    values: Mapping[str, str],
    expires_at: datetime | None = None,
    actor: str = SYSTEM,
) -> ProviderCredential:
    """Checks the credential with the network where that can be asked, then keeps it: from now on it is the one to send.

    expires_at: when the network will refuse it, as far as a person knows; an earlier end of a certificate in it counts.
    Opens its own scope after the check: call it outside of any. Raises UnknownProvider, UnknownField,
    CredentialInvalid, NetworkSilent, InvalidInput.
    """
    name = require_name(name)
    given = _read_values(needs_of(provider), values)
    proxies.check(given)
    sender = Sender(tenant.home_region, tenant.pk, application.application_id, (Credential("", given),))
    check = getattr(open_provider(provider, sender), "check", None)
    if check is not None:
        check()
    with tenant_scope(tenant):
        made = _create(tenant, application, provider, name, given, actor)
        return made.changed(expires_at=earliest(expires_at, end_of_certificates(given)))


def ensure_vapid_credential(*, tenant: Tenant, application: Application, subject: str) -> ProviderCredential:
    """The application's Web Push key, made when there is none. subject: `mailto:` or `https:`. Inside the scope."""
    Application.objects.of(tenant).select_for_update(no_key=True).get(pk=application.pk)  # else two are made
    known = usable_credentials(tenant=tenant, application=application, provider=WEBPUSH).first()
    values = {"private_key": new_private_key(), "subject": subject}
    return known or _create(tenant, application, WEBPUSH, "Web Push", values, SYSTEM)


def pause_credential(*, tenant: Tenant, credential_id: str, reason: str) -> bool:
    """The network refuses it: nothing is sent with it until somebody resumes it. False when it was paused before."""
    now = clock.now()
    rows = ProviderCredential.objects.of(tenant).filter(pk=ProviderCredential.number_of(credential_id), paused_at=None)
    paused = rows.update(paused_at=now, last_error=reason[:64], last_error_at=now, updated_at=now)
    if paused:
        record_audit(
            tenant=tenant, actor=SYSTEM, action="provider_credential.paused", target=credential_id,
            facts={"reason": reason[:64]},
        )  # fmt: skip
    return bool(paused)


def resume_credential(*, tenant: Tenant, credential: ProviderCredential, actor: str = SYSTEM) -> ProviderCredential:
    """Raises CredentialRetired."""
    if credential.retired_at is not None:
        raise CredentialRetired
    record_audit(tenant=tenant, actor=actor, action="provider_credential.resumed", target=credential.public_id)
    return credential.changed(paused_at=None, last_error="", last_error_at=None)


def retire_credential(*, tenant: Tenant, credential: ProviderCredential, actor: str = SYSTEM) -> None:
    """For good; its secret is destroyed. Subscriptions made with a retired VAPID key are out of reach."""
    if credential.retired_at is None:
        record_audit(tenant=tenant, actor=actor, action="provider_credential.retired", target=credential.public_id)
        credential.changed(retired_at=clock.now(), values_sealed="")


def usable_credentials(*, tenant: Tenant, application: Application, provider: str) -> Any:
    """Newest first: the first one sends, the others serve what is bound to them."""
    return (
        ProviderCredential.objects.of(tenant)
        .filter(application=application, provider=provider, paused_at=None, retired_at=None)
        .order_by("-id")
    )


def open_credentials(*, tenant: Tenant, application: Application, provider: str) -> tuple[Credential, ...]:
    """The usable ones with their values in clear, for a Sender."""
    rows = usable_credentials(tenant=tenant, application=application, provider=provider)
    return tuple(open_credential(tenant=tenant, credential=row) for row in rows)


def open_credential(*, tenant: Tenant, credential: ProviderCredential) -> Credential:
    """With its values in clear. For one that is not retired. Inside the scope."""
    return Credential(credential.public_id, _open(tenant, credential))


def sending_credential(*, tenant: Tenant, application: Application, provider: str) -> str | None:
    """Public id of the one that would send now; empty when all are paused; None when there is none at all."""
    rows = ProviderCredential.objects.of(tenant).filter(application=application, provider=provider, retired_at=None)
    known = list(rows.order_by("-id").values_list("pk", "paused_at"))
    usable = [number for number, paused_at in known if paused_at is None]
    if usable:
        return ProviderCredential(pk=usable[0]).public_id
    return "" if known else None


def _create(
    tenant: Tenant, application: Application, provider: str, name: str, values: Mapping[str, str], actor: str
) -> ProviderCredential:
    secret = {field.name for field in needs_of(provider).fields if field.is_secret}
    made = ProviderCredential.objects.create(
        tenant=tenant, application=application, provider=provider, name=name, checked_at=clock.now(),
        shown={field: value for field, value in values.items() if value and field not in secret},
    )  # fmt: skip
    sealed = seal_for(tenant, orjson.dumps(dict(values)).decode(), context=_context(made))
    record_audit(
        tenant=tenant, actor=actor, action="provider_credential.saved", target=made.public_id,
        facts={"provider": provider, "name": name},
    )  # fmt: skip
    return made.changed(values_sealed=sealed)


def _read_values(needs: Needs, values: Mapping[str, str]) -> dict[str, str]:
    names = {field.name for field in needs.fields}
    given = {name: str(values.get(name) or "").strip() for name in names}
    wrong = {name: [_("There is no such field.")] for name in values if name not in names}
    wrong |= {field.name: [problem] for field in needs.fields if (problem := _problem_of(field, given[field.name]))}
    if wrong or not names:
        raise UnknownField(fields=wrong)
    return given


def _problem_of(field: CredentialField, text: str) -> str:
    if not text:
        return _("Enter a value.") if field.is_required else ""
    known = [value for value, _label in field.choices]
    return _("Use one of: %(names)s.") % {"names": ", ".join(known)} if known and text not in known else ""


def _open(tenant: Tenant, row: ProviderCredential) -> dict[str, str]:
    return cast("dict[str, str]", orjson.loads(unseal_for(tenant, row.values_sealed, context=_context(row))))


def _context(row: ProviderCredential) -> str:
    return f"providers_providercredential|values_sealed|{row.pk}"
