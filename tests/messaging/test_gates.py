"""A network that is down, or an account that is paused, costs time and no attempts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.audience.models import Device
from apps.core import clock
from apps.messaging.models import Chunk, Delivery, Message
from apps.messaging.sending.pipeline import send_due_chunks
from apps.messaging.services import accept_message
from apps.providers import breaker
from apps.providers.base import Credential, Outcome, Push, Result, Scope, Sender
from apps.providers.breaker import FAILURES, Circuit
from apps.providers.credentials import ensure_vapid_credential, pause_credential, resume_credential, save_credential
from apps.providers.health import provider_health
from apps.providers.models import ProviderCredential
from apps.providers.vendors.xiaomi import XiaomiProvider
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope
from tests.messaging.test_device_routes import Phones, devices, phones

__all__ = ["devices", "phones"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker", "clean_valkey", "devices")]


@pytest.fixture
def credential(application: Application) -> ProviderCredential:
    """Of the route `webpush`, which leads to phones."""
    with tenant_scope(application.tenant):
        return ensure_vapid_credential(
            tenant=application.tenant, application=application, subject="mailto:push@shop.example"
        )


@pytest.fixture
def message(application: Application, people: list[str], phones: type[Phones]) -> Message:
    return _message(application, people, ["webpush"])


def _message(application: Application, people: list[str], routes: list[str]) -> Message:
    with tenant_scope(application.tenant):
        return accept_message(
            tenant=application.tenant, application=application, routes=routes, external_ids=people,
            content={"en": {"title": "Hi"}},
        )  # fmt: skip


@pytest.fixture(autouse=True)
def phones_are_on_webpush(application: Application, devices: dict[str, int]) -> None:
    with tenant_scope(application.tenant):
        Device.objects.of(application.tenant_id).update(provider="webpush")


def _circuit(application: Application, credential: ProviderCredential) -> Circuit:
    return Circuit(application.tenant.home_region, application.application_id, "webpush", credential.public_id)


def _rows(message: Message) -> list[tuple[str, int]]:
    with tenant_scope(message.tenant_id):
        rows = Delivery.objects.of(message.tenant_id).filter(message=message).order_by("id")
        return list(rows.values_list("state", "attempts"))


def test_nothing_is_attempted_while_the_circuit_is_open(
    application: Application, credential: ProviderCredential, message: Message, phones: type[Phones]
) -> None:
    breaker.record(
        _circuit(application, credential), [Outcome("id", Result.UNAVAILABLE, Scope.PROVIDER, "503")] * FAILURES
    )
    send_due_chunks(seconds=30)
    assert phones.pushes == []
    assert _rows(message) == [("planned", 0)] * 3
    with tenant_scope(message.tenant_id):
        chunk = Chunk.objects.of(message.tenant_id).get(message=message)
    assert (chunk.lease_until, chunk.due_at > clock.now()) == (None, True)


def test_failures_of_a_slice_open_the_circuit_and_are_shown(
    application: Application, credential: ProviderCredential, phones: type[Phones], message: Message,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def down(self: Phones, push: Push) -> Outcome:
        return Outcome(push.id, Result.UNAVAILABLE, Scope.PROVIDER, "503")

    monkeypatch.setattr(Phones, "_answer", down)
    monkeypatch.setattr(breaker, "FAILURES", 3)
    send_due_chunks(seconds=30)
    assert {state for state, _ in _rows(message)} == {"planned", "rejected"}
    [health] = provider_health(tenant=application.tenant, application=application)
    assert (health.state, health.accepted, health.failed) == (breaker.State.OPEN, 0, 0)
    assert (health.hours[-1].unavailable, health.errors[0].reason, health.errors[0].count) == (3, "503", 3)
    assert health.retry_at is not None


def test_what_a_network_took_and_refused_is_counted_by_the_hour(
    application: Application, credential: ProviderCredential, phones: type[Phones], message: Message
) -> None:
    phones.answers["phone-1"] = lambda push: Outcome(push.id, Result.REJECTED, Scope.DEVICE, "BadDeviceToken")
    send_due_chunks(seconds=30)
    [health] = provider_health(tenant=application.tenant, application=application, provider="webpush")
    assert (health.accepted, health.failed, health.state) == (2, 1, breaker.State.CLOSED)
    assert [(error.result, error.reason, error.count) for error in health.errors] == [("rejected", "BadDeviceToken", 1)]
    assert len(health.hours) == 24
    assert provider_health(tenant=application.tenant, application=application, provider="apns") == []


def test_the_quota_that_is_left_today_is_shown(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(XiaomiProvider, "check", lambda _self: None)
    values = {"app_secret": "secret", "package_name": "com.example.shop"}
    for name, quota in (("Declared", {"daily_quota": "10"}), ("Open", {})):
        save_credential(
            tenant=application.tenant, application=application, provider="xiaomi", name=name, values={**values, **quota}
        )
    undeclared, declared = provider_health(tenant=application.tenant, application=application, provider="xiaomi")
    assert (undeclared.quota_left, declared.quota_left) == (None, 10)
    sender = Sender(
        application.tenant.home_region, application.tenant_id, application.application_id,
        (Credential(declared.credential_id, {**values, "daily_quota": "10"}),),
    )  # fmt: skip
    assert XiaomiProvider(sender).quota(of_marketing=True).take(12) == 10
    [_, spent] = provider_health(tenant=application.tenant, application=application, provider="xiaomi")
    assert spent.quota_left == 0


def test_a_paused_account_is_waited_for_without_attempts(
    application: Application, credential: ProviderCredential, message: Message, phones: type[Phones]
) -> None:
    with tenant_scope(application.tenant):
        pause_credential(tenant=application.tenant, credential_id=credential.public_id, reason="InvalidProviderToken")
    send_due_chunks(seconds=30)
    assert _rows(message) == [("planned", 0)] * 3
    [health] = provider_health(tenant=application.tenant, application=application)
    assert health.paused
    with tenant_scope(application.tenant):
        resume_credential(tenant=application.tenant, credential=credential)
        Chunk.objects.of(application.tenant_id).update(due_at=clock.now() - timedelta(seconds=1))
    send_due_chunks(seconds=30)
    assert [state for state, _ in _rows(message)] == ["accepted", "accepted", "rejected"]


def test_a_paused_account_is_not_waited_for_where_there_is_another_route(
    application: Application, credential: ProviderCredential, people: list[str], phones: type[Phones]
) -> None:
    message = _message(application, people, ["webpush", "console"])
    with tenant_scope(application.tenant):
        pause_credential(tenant=application.tenant, credential_id=credential.public_id, reason="Forbidden")
    send_due_chunks(seconds=30)
    assert {attempts for _, attempts in _rows(message)} != {0}


def test_a_half_open_circuit_lets_a_few_through(
    application: Application, credential: ProviderCredential, message: Message, phones: type[Phones],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(breaker, "PROBE", 1)
    circuit = _circuit(application, credential)
    monkeypatch.setattr(breaker, "FIRST", 0.0)
    breaker.record(circuit, [Outcome("id", Result.UNAVAILABLE, Scope.PROVIDER, "503")] * FAILURES)
    send_due_chunks(seconds=30)
    assert [state for state, _ in _rows(message)] == ["accepted", "accepted", "rejected"]
    assert len({sender.application_id for sender in phones.senders}) == 1
    assert len(phones.senders) == 2
    assert breaker.look(circuit).state is breaker.State.CLOSED
