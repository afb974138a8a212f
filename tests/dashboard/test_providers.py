"""The pages of the accounts with push networks, with a network that knows one password."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, override_settings

from apps.audience.addresses import DeviceIn
from apps.audience.services.devices import register_device
from apps.core import clock
from apps.providers import breaker, health, registry
from apps.providers.base import CredentialField, Limits, Needs, Outcome, Push, Result, Scope, Sender
from apps.providers.breaker import Circuit
from apps.providers.credentials import pause_credential, save_credential
from apps.providers.errors import CredentialInvalid
from apps.providers.models import ProviderCredential
from apps.tenants.models import Application, AuditEntry, Tenant
from apps.tenants.scope import tenant_scope

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clean_valkey", "pigeons")]

_GOOD = {"name": "Loft", "loft": "north", "key": "coo"}


class Pigeons:
    """A network that knows one key and refuses who is called `hawk`."""

    needs: ClassVar[Needs] = Needs(
        fields=(
            CredentialField("loft", "Loft", is_secret=False, help="Where they live."),
            CredentialField("key", "Key", is_long=True),
        ),
        reaches="devices",
        platforms=("ios",),
    )
    limits: ClassVar[Limits] = Limits(per_minute=1_200)

    def __init__(self, sender: Sender) -> None:
        self.sender = sender

    def check(self) -> None:
        if self.sender.credentials[0].values["key"] != "coo":
            raise CredentialInvalid("key", "The pigeons do not know this key.")

    def quota_left(self) -> int | None:
        return 4_321

    def send(self, pushes: list[Push]) -> list[Outcome]:
        return [self._outcome(push) for push in pushes]

    def _outcome(self, push: Push) -> Outcome:
        if push.recipient == "hawk":
            return Outcome(push.id, Result.REJECTED, Scope.DEVICE, "TITLE_TOO_LONG")
        return Outcome(push.id, Result.ACCEPTED, provider_message_id="feather-1")


@pytest.fixture
def pigeons() -> Iterator[None]:
    with override_settings(PROVIDERS=["pigeons=tests.dashboard.test_providers:Pigeons"]):
        registry._places.cache_clear()
        registry._factory.cache_clear()
        yield
    registry._places.cache_clear()
    registry._factory.cache_clear()


@pytest.fixture
def saved(tenant: Tenant, application: Application) -> ProviderCredential:
    values = {"loft": "north", "key": "coo"}
    return save_credential(tenant=tenant, application=application, provider="pigeons", name="Loft", values=values)


def _device(tenant: Tenant, application: Application, person: str = "ada") -> str:
    with tenant_scope(tenant):
        phone = DeviceIn("ios", f"token-{person}", provider="pigeons")
        made, _new = register_device(tenant=tenant, application=application, external_id=person, device=phone)
    return made.public_id


def _circuit(tenant: Tenant, application: Application, saved: ProviderCredential) -> Circuit:
    return Circuit(tenant.home_region, application.application_id, "pigeons", saved.public_id)


def _page(client: Client, saved: ProviderCredential) -> str:
    return client.get(f"/provider-credentials/{saved.public_id}/").content.decode()


def test_the_list_names_every_route_and_what_it_lacks(developer: Client, application: Application) -> None:
    page = developer.get("/provider-credentials/").content.decode()
    assert "Apple devices (APNs)" in page
    assert "No credential" in page
    assert "/provider-credentials/new?provider=pigeons" in page
    assert "provider=console" not in page


def test_a_credential_is_saved_and_its_secret_never_shown(
    developer: Client, tenant: Tenant, application: Application
) -> None:
    answer = developer.post("/provider-credentials/new?provider=pigeons", _GOOD, follow=True)
    page = answer.content.decode()
    assert "north" in page
    assert "kept sealed" in page
    assert "coo" not in page.replace("cookie", "")
    assert "1,200" in page
    assert "4,321" in page
    with tenant_scope(tenant):
        entry = AuditEntry.objects.of(tenant).latest("id")
    assert (entry.action, entry.actor != "system") == ("provider_credential.saved", True)


def test_a_key_may_come_as_a_file(developer: Client, tenant: Tenant, application: Application) -> None:
    upload = SimpleUploadedFile("key.p8", b"coo\n")
    developer.post("/provider-credentials/new?provider=pigeons", {**_GOOD, "key": "", "key_file": upload})
    with tenant_scope(tenant):
        assert ProviderCredential.objects.of(tenant).filter(provider="pigeons").exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"key": "moo"}, "The pigeons do not know this key."),
        ({"key": ""}, "Enter a value."),
        ({"key": "", "key_file": SimpleUploadedFile("key.p8", b"\xff\xfe")}, "This file is no text."),
        ({"key_file": SimpleUploadedFile("key.p8", b"c" * 70_000)}, "too large to be a key"),
    ],
)
def test_what_the_network_does_not_take_is_said_and_nothing_kept(
    developer: Client, tenant: Tenant, application: Application, changes: dict[str, Any], sentence: str
) -> None:
    page = developer.post("/provider-credentials/new?provider=pigeons", {**_GOOD, **changes}).content.decode()
    assert sentence in page
    with tenant_scope(tenant):
        assert not ProviderCredential.objects.of(tenant).exists()


@pytest.mark.parametrize("name", ["console", "nothing"])
def test_a_route_without_credentials_has_no_form(developer: Client, application: Application, name: str) -> None:
    assert developer.get(f"/provider-credentials/new?provider={name}").status_code == 404


def test_who_names_no_route_is_led_to_the_list(developer: Client, application: Application) -> None:
    assert developer.get("/provider-credentials/new")["Location"] == "/provider-credentials/"


def test_a_replacement_takes_the_place_of_the_old_one(
    developer: Client, tenant: Tenant, saved: ProviderCredential
) -> None:
    url = f"/provider-credentials/{saved.public_id}/replace"
    assert 'value="north"' in developer.get(url).content.decode()
    developer.post(url, {**_GOOD, "loft": "south"})
    with tenant_scope(tenant):
        saved.refresh_from_db()
        assert (saved.retired_at is not None, saved.values_sealed) == (True, "")
        assert ProviderCredential.objects.of(tenant).get(retired_at=None).shown == {"loft": "south"}


def test_a_refused_replacement_leaves_the_old_one(developer: Client, tenant: Tenant, saved: ProviderCredential) -> None:
    developer.post(f"/provider-credentials/{saved.public_id}/replace", {**_GOOD, "key": "moo"})
    with tenant_scope(tenant):
        assert ProviderCredential.objects.of(tenant).get(retired_at=None).pk == saved.pk


def test_a_paused_credential_says_why_and_is_resumed(
    developer: Client, tenant: Tenant, saved: ProviderCredential
) -> None:
    with tenant_scope(tenant):
        pause_credential(tenant=tenant, credential_id=saved.public_id, reason="InvalidProviderToken")
    assert "InvalidProviderToken" in _page(developer, saved)
    developer.post(f"/provider-credentials/{saved.public_id}/resume")
    with tenant_scope(tenant):
        saved.refresh_from_db()
    assert saved.paused_at is None


def test_a_removed_credential_is_gone(developer: Client, tenant: Tenant, saved: ProviderCredential) -> None:
    developer.post(f"/provider-credentials/{saved.public_id}/remove")
    assert developer.get(f"/provider-credentials/{saved.public_id}/").status_code == 404
    with tenant_scope(tenant):
        assert AuditEntry.objects.of(tenant).latest("id").action == "provider_credential.retired"


def test_health_shows_counts_errors_and_what_to_do(
    developer: Client, tenant: Tenant, application: Application, saved: ProviderCredential
) -> None:
    circuit = _circuit(tenant, application, saved)
    good = [Outcome(str(n), Result.ACCEPTED) for n in range(3)]
    bad = [Outcome(str(n), Result.REJECTED, Scope.MESSAGE, "TITLE_TOO_LONG") for n in range(2)]
    health.count(circuit, good + bad, clock.now())
    page = _page(developer, saved)
    assert "TITLE_TOO_LONG" in page
    assert "Shorten title, text or data." in page
    assert "Accepted: 3" in page
    assert "Failing" in page


def test_an_open_circuit_is_told(
    developer: Client, tenant: Tenant, application: Application, saved: ProviderCredential
) -> None:
    silent = [Outcome(str(n), Result.UNAVAILABLE, Scope.PROVIDER, "503") for n in range(breaker.FAILURES)]
    breaker.record(_circuit(tenant, application, saved), silent)
    assert "Waiting: the network fails" in _page(developer, saved)


@pytest.mark.parametrize(("days", "sentence"), [(10, "This credential ends on"), (-1, "has ended"), (60, None)])
def test_an_end_that_is_near_is_told(
    developer: Client, tenant: Tenant, saved: ProviderCredential, days: int, sentence: str | None
) -> None:
    with tenant_scope(tenant):
        saved.changed(expires_at=clock.now() + timedelta(days=days, hours=1 if days > 0 else 0))
    page = _page(developer, saved)
    assert (sentence in page) if sentence else ("ends on" not in page)


def test_a_test_push_shows_its_steps(
    developer: Client, tenant: Tenant, application: Application, saved: ProviderCredential
) -> None:
    url = f"/provider-credentials/{saved.public_id}/test"
    assert "No device yet" in developer.get(url).content.decode()
    device = _device(tenant, application)
    page = developer.post(url, {"target": device, "title": "Hi", "body": "there"}).content.decode()
    assert "The network accepted it" in page
    assert "feather-1" in page


def test_a_test_push_that_is_refused_says_what_to_do(
    developer: Client, tenant: Tenant, application: Application, saved: ProviderCredential
) -> None:
    given = {"target": _device(tenant, application, "hawk"), "title": "Hi", "body": "there"}
    page = developer.post(f"/provider-credentials/{saved.public_id}/test", given).content.decode()
    assert "The network did not accept it" in page
    assert "Shorten title, text or data." in page


def test_an_analyst_sees_health_and_changes_nothing(analyst: Client, saved: ProviderCredential) -> None:
    assert "Test push" not in _page(analyst, saved)
    for action in ("replace", "resume", "remove", "test"):
        assert analyst.post(f"/provider-credentials/{saved.public_id}/{action}", _GOOD).status_code == 403, action
