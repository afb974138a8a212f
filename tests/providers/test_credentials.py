"""Credentials: checked before they are kept, sealed, the newest sends, a refused one waits for somebody."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from django.test import override_settings

from apps.core.errors import InvalidInput
from apps.providers import registry
from apps.providers.base import CredentialField, Needs, Outcome, Push, Sender
from apps.providers.credentials import (
    ensure_vapid_credential,
    open_credentials,
    pause_credential,
    resume_credential,
    retire_credential,
    save_credential,
)
from apps.providers.errors import CredentialInvalid, CredentialRetired, UnknownField, UnknownProvider
from apps.providers.models import ProviderCredential
from apps.tenants.models import Application, AuditEntry, Tenant
from apps.tenants.scope import tenant_scope

pytestmark = pytest.mark.django_db


class Pigeons:
    """A network that knows one password."""

    needs: ClassVar[Needs] = Needs(
        fields=(
            CredentialField("password", "Password"),
            CredentialField("loft", "Loft", is_secret=False),
            CredentialField("feed", "Feed", is_required=False, choices=(("corn", "Corn"), ("peas", "Peas"))),
        )
    )

    def __init__(self, sender: Sender) -> None:
        self.sender = sender

    def check(self) -> None:
        if self.sender.credentials[0].values["password"] != "coo":
            raise CredentialInvalid("password", "wrong")

    def send(self, pushes: list[Push]) -> list[Outcome]:
        return []


@pytest.fixture(autouse=True)
def pigeons() -> Any:
    with override_settings(PROVIDERS=["pigeons=tests.providers.test_credentials:Pigeons"]):
        registry._places.cache_clear()
        registry._factory.cache_clear()
        yield
    registry._places.cache_clear()
    registry._factory.cache_clear()


def _save(tenant: Tenant, application: Application, **changes: Any) -> ProviderCredential:
    given = {"provider": "pigeons", "name": "Loft", "values": {"password": "coo", "loft": "north"}, **changes}
    return save_credential(tenant=tenant, application=application, **given)


def test_a_good_credential_is_kept_sealed_and_opens(tenant: Tenant, application: Application) -> None:
    saved = _save(tenant, application)
    assert "coo" not in saved.values_sealed
    assert saved.shown == {"loft": "north"}
    with tenant_scope(tenant):
        [opened] = open_credentials(tenant=tenant, application=application, provider="pigeons")
        assert AuditEntry.objects.of(tenant).latest("id").action == "provider_credential.saved"
    assert (opened.id, dict(opened.values)) == (
        saved.public_id,
        {"password": "coo", "loft": "north", "feed": ""},
    )
    assert "coo" not in repr(opened)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"values": {"password": "moo", "loft": "north"}}, CredentialInvalid),
        ({"values": {"password": "coo"}}, UnknownField),
        ({"values": {"password": "coo", "loft": "north", "feed": "cake"}}, UnknownField),
        ({"values": {"password": "coo", "loft": "  "}}, UnknownField),
        ({"values": {"password": "coo", "loft": "north", "extra": "x"}}, UnknownField),
        ({"provider": "console", "values": {}}, UnknownField),
        ({"provider": "ravens"}, UnknownProvider),
        ({"name": ""}, InvalidInput),
    ],
)
def test_a_bad_credential_is_not_kept(
    tenant: Tenant, application: Application, changes: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        _save(tenant, application, **changes)
    with tenant_scope(tenant):
        assert not ProviderCredential.objects.of(tenant).exists()


def test_the_newest_is_first_and_the_older_still_open(tenant: Tenant, application: Application) -> None:
    older, newer = _save(tenant, application), _save(tenant, application)
    with tenant_scope(tenant):
        opened = open_credentials(tenant=tenant, application=application, provider="pigeons")
    assert [one.id for one in opened] == [newer.public_id, older.public_id]


def test_a_refused_credential_waits_until_somebody_resumes_it(tenant: Tenant, application: Application) -> None:
    saved = _save(tenant, application)
    with tenant_scope(tenant):
        assert pause_credential(tenant=tenant, credential_id=saved.public_id, reason="InvalidProviderToken")
        assert not pause_credential(tenant=tenant, credential_id=saved.public_id, reason="again")
        assert open_credentials(tenant=tenant, application=application, provider="pigeons") == ()
        assert saved.refreshed().last_error == "InvalidProviderToken"
        resume_credential(tenant=tenant, credential=saved)
        assert len(open_credentials(tenant=tenant, application=application, provider="pigeons")) == 1


def test_a_retired_credential_is_shredded_and_stays_retired(tenant: Tenant, application: Application) -> None:
    saved = _save(tenant, application)
    with tenant_scope(tenant):
        retire_credential(tenant=tenant, credential=saved)
        assert saved.refreshed().values_sealed == ""
        assert open_credentials(tenant=tenant, application=application, provider="pigeons") == ()
        with pytest.raises(CredentialRetired):
            resume_credential(tenant=tenant, credential=saved)


def test_the_neighbours_credential_is_neither_opened_nor_paused(
    tenant: Tenant, application: Application, other_tenant: Tenant, other_application: Application
) -> None:
    saved = _save(tenant, application)
    with tenant_scope(other_tenant):
        assert open_credentials(tenant=other_tenant, application=other_application, provider="pigeons") == ()
        assert not pause_credential(tenant=other_tenant, credential_id=saved.public_id, reason="theirs")
    with tenant_scope(tenant):
        assert saved.refreshed().paused_at is None


def test_an_application_gets_one_web_push_key(scope: Tenant, application: Application) -> None:
    made = [
        ensure_vapid_credential(tenant=scope, application=application, subject="mailto:a@b.example").pk
        for _ in range(2)
    ]
    assert made[0] == made[1]
    [opened] = open_credentials(tenant=scope, application=application, provider="webpush")
    assert opened.values["subject"] == "mailto:a@b.example"
