"""What an application's account with a network may still send today, for whoever plans ahead."""

from __future__ import annotations

from dataclasses import replace

from apps.providers.base import Limits, Sender
from apps.providers.credentials import open_credential, usable_credentials
from apps.providers.health import quota_left
from apps.providers.models import ProviderCredential
from apps.providers.registry import limits_of
from apps.tenants.models import Application

#: The field of a credential that says how many pushes its day allows.
DAILY_QUOTA = "daily_quota"


def limits_of_account(*, application: Application, provider: str) -> Limits:
    """What the network declares, with the day's quota of the credential that would send now. Inside the scope."""
    declared = limits_of(provider)
    row = _sending(application, provider)
    quota = str(row.shown.get(DAILY_QUOTA) or "") if row else ""
    return replace(declared, per_day=int(quota)) if quota.isascii() and quota.isdecimal() else declared


def used_today(*, application: Application, provider: str) -> int:
    """Of the day's quota, as far as is known: 0 where nobody counts. Inside the scope."""
    limits = limits_of_account(application=application, provider=provider)
    row = _sending(application, provider)
    if limits.per_day is None or row is None:
        return 0
    credential = open_credential(tenant=application.tenant, credential=row)
    sender = Sender(application.tenant.home_region, application.tenant_id, application.application_id, (credential,))
    left = quota_left(provider, sender)
    return 0 if left is None else max(0, limits.per_day - left)


def _sending(application: Application, provider: str) -> ProviderCredential | None:
    found: ProviderCredential | None = usable_credentials(
        tenant=application.tenant, application=application, provider=provider
    ).first()
    return found
