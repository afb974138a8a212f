"""Ends of credentials: read from certificates, told 30, 7 and 1 days before, once each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from apps.accounts.models import OutgoingMail
from apps.core import clock
from apps.providers.certificates import earliest, end_of_certificates
from apps.providers.counterparts.authority import Authority
from apps.providers.credentials import ensure_vapid_credential, retire_credential
from apps.providers.expiring import warn_of_ends
from apps.providers.models import ProviderCredential
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope


@pytest.fixture
def credential(tenant: Tenant, application: Application) -> ProviderCredential:
    with tenant_scope(tenant):
        return ensure_vapid_credential(tenant=tenant, application=application, subject="mailto:ops@example.com")


def _end_in(tenant: Tenant, credential: ProviderCredential, days: float) -> None:
    with tenant_scope(tenant):
        credential.changed(expires_at=clock.now() + timedelta(days=days))


@pytest.mark.django_db
@pytest.mark.usefixtures("as_worker")
def test_each_threshold_is_told_once(tenant: Tenant, credential: ProviderCredential) -> None:
    told = []
    for days in (31, 29, 28, 6.5, 6, 0.9, 0.1, -1):
        _end_in(tenant, credential, days)
        told.append(warn_of_ends())
    assert told == [0, 1, 0, 1, 0, 1, 0, 0]
    assert OutgoingMail.objects.filter(kind="credential_ending").count() == 3


@pytest.mark.django_db
def test_one_that_is_late_known_is_told_once_and_a_retired_one_never(
    tenant: Tenant, credential: ProviderCredential
) -> None:
    _end_in(tenant, credential, 0.5)
    assert [warn_of_ends(), warn_of_ends()] == [1, 0]
    with tenant_scope(tenant):
        credential.changed(warned_days=None)
        retire_credential(tenant=tenant, credential=credential)
    assert warn_of_ends() == 0


def test_the_earliest_certificate_counts(tmp_path: Path) -> None:
    pem = Authority(tmp_path).ca_file.read_text()
    end = end_of_certificates({"key": "none", "certificate": f"before\n{pem}\nafter"})
    assert end is not None
    assert timedelta(days=29) < end - datetime.now(UTC) < timedelta(days=31)
    assert end_of_certificates({"broken": "-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----"}) is None
    assert (earliest(None, end), earliest(None)) == (end, None)
