"""Routes that reach installations: each device gets a push, and its answers do to it what they must."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import ClassVar

import pytest

from apps.audience.addresses import DeviceIn
from apps.audience.models import Device
from apps.audience.services.devices import register_device
from apps.core import clock
from apps.messaging.models import Delivery, Message
from apps.messaging.sending import slices
from apps.messaging.sending.pipeline import send_due_chunks
from apps.messaging.sending.routes import NO_DEVICE, combine
from apps.messaging.services import accept_message
from apps.providers import fuse, registry
from apps.providers.base import Needs, Outcome, Push, Result, Scope, Sender
from apps.providers.credentials import ensure_vapid_credential
from apps.providers.models import ProviderCredential
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker", "clean_valkey")]

Answers = dict[str, Callable[[Push], Outcome]]


class Phones:
    """A network of devices. answers: address -> what becomes of its push; else it is accepted."""

    needs: ClassVar[Needs] = Needs(reaches="devices", fields=registry.needs_of("webpush").fields)
    answers: ClassVar[Answers] = {}
    pushes: ClassVar[list[Push]] = []
    senders: ClassVar[list[Sender]] = []

    def __init__(self, sender: Sender) -> None:
        self.senders.append(sender)

    def send(self, pushes: Sequence[Push]) -> list[Outcome]:
        self.pushes.extend(pushes)
        return [self._answer(push) for push in pushes]

    def _answer(self, push: Push) -> Outcome:
        assert push.endpoint is not None
        answer = self.answers.get(push.endpoint.address, lambda push: Outcome(push.id, Result.ACCEPTED))
        return answer(push)


@pytest.fixture
def phones(monkeypatch: pytest.MonkeyPatch) -> type[Phones]:
    """Every route leads to phones."""
    for name, empty in (("answers", {}), ("pushes", []), ("senders", [])):
        monkeypatch.setattr(Phones, name, empty)
    monkeypatch.setattr(registry, "_factory", lambda _name: Phones)
    monkeypatch.setattr(slices, "uniform", lambda _low, high: high)  # else a retry may be due at once
    return Phones


@pytest.fixture
def devices(application: Application, people: list[str]) -> dict[str, int]:
    """address -> row number. The first person has two phones, the second one, the third none."""
    owners = {"phone-0": people[0], "tablet-0": people[0], "phone-1": people[1]}
    with tenant_scope(application.tenant):
        return {
            address: register_device(
                tenant=application.tenant, application=application, external_id=owner,
                device=DeviceIn("ios", address),
            )[0].pk
            for address, owner in owners.items()
        }  # fmt: skip


@pytest.fixture
def sent(application: Application, people: list[str], devices: dict[str, int]) -> Callable[..., list[tuple[str, str]]]:
    """Sends a message by apns and answers the states of its deliveries."""

    def send(**given: object) -> list[tuple[str, str]]:
        values = {"content": {"en": {"title": "Hi"}}, "routes": ["apns"], "external_ids": people, **given}
        with tenant_scope(application.tenant):
            message: Message = accept_message(
                tenant=application.tenant,
                application=application,
                **values,  # type: ignore[arg-type]
            )
        send_due_chunks(seconds=30)
        with tenant_scope(application.tenant):
            rows = Delivery.objects.of(application.tenant_id).filter(message=message).order_by("id")
            return list(rows.values_list("state", "reason"))

    return send


def _device(application: Application, devices: dict[str, int], address: str) -> Device:
    with tenant_scope(application.tenant):
        return Device.objects.of(application.tenant_id).get(pk=devices[address])


def test_every_device_gets_a_push_of_its_own(
    phones: type[Phones], sent: Callable[..., list[tuple[str, str]]], people: list[str]
) -> None:
    assert sent() == [("accepted", ""), ("accepted", ""), ("rejected", NO_DEVICE)]
    addresses = {push.endpoint.address for push in phones.pushes if push.endpoint}
    assert addresses == {"phone-0", "tablet-0", "phone-1"}
    assert len({push.id for push in phones.pushes}) == 3
    assert {push.recipient for push in phones.pushes} == set(people[:2])


def test_a_token_of_one_push_type_is_reached_by_nothing_else(
    phones: type[Phones], sent: Callable[..., list[tuple[str, str]]], application: Application, people: list[str]
) -> None:
    with tenant_scope(application.tenant):
        for kind in ("token", "liveactivity"):
            register_device(
                tenant=application.tenant, application=application, external_id=people[2],
                device=DeviceIn("ios", f"{kind}-2", address_kind=kind, installation_id="phone-2"),
            )  # fmt: skip
    activity = {"push_type": "liveactivity", "aps": {"event": "update", "content-state": {"left": 4}}}
    assert sent(content={"en": {"apns": activity}}, external_ids=people[2:]) == [("accepted", "")]
    assert [push.endpoint.address for push in phones.pushes if push.endpoint] == ["liveactivity-2"]
    phones.pushes.clear()
    sent(external_ids=people[2:])
    assert [push.endpoint.address for push in phones.pushes if push.endpoint] == ["token-2"]


def test_who_has_no_device_gets_it_by_the_next_route(
    phones: type[Phones], sent: Callable[..., list[tuple[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Everybody(Phones):
        needs = Needs()

        def _answer(self, push: Push) -> Outcome:
            return Outcome(push.id, Result.ACCEPTED)

    monkeypatch.setattr(registry, "_factory", lambda name: Everybody if name == "console" else Phones)
    states = sent(routes=["apns", "console"])
    assert states == [("accepted", ""), ("accepted", ""), ("rejected", NO_DEVICE), ("accepted", "")]


def test_a_dead_device_retires_and_its_owner_has_the_message_on_the_other(
    phones: type[Phones], sent: Callable[..., list[tuple[str, str]]], application: Application, devices: dict[str, int]
) -> None:
    phones.answers["phone-0"] = lambda push: Outcome(
        push.id, Result.UNREGISTERED, Scope.DEVICE, "Unregistered", gone_at=clock.now()
    )
    assert sent()[0] == ("accepted", "")
    retired = _device(application, devices, "phone-0")
    assert (retired.retired_at is not None, retired.retired_reason) == (True, "Unregistered")
    tablet = _device(application, devices, "tablet-0")
    assert (tablet.retired_at, tablet.last_accepted_at is not None) == (None, True)
    phones.pushes.clear()
    sent()
    assert "phone-0" not in {push.endpoint.address for push in phones.pushes if push.endpoint}


def test_a_device_that_registered_after_its_death_stays(
    phones: type[Phones], sent: Callable[..., list[tuple[str, str]]], application: Application, devices: dict[str, int]
) -> None:
    long_ago = clock.now() - timedelta(days=1)
    phones.answers["phone-1"] = lambda push: Outcome(
        push.id, Result.UNREGISTERED, Scope.DEVICE, "Unregistered", gone_at=long_ago
    )
    assert sent()[1] == ("unregistered", "Unregistered")
    assert _device(application, devices, "phone-1").retired_at is None


def test_a_refused_device_is_struck_and_not_retired(
    phones: type[Phones], sent: Callable[..., list[tuple[str, str]]], application: Application, devices: dict[str, int]
) -> None:
    phones.answers["phone-1"] = lambda push: Outcome(push.id, Result.REJECTED, Scope.DEVICE, "BadDeviceToken")
    assert sent()[1] == ("rejected", "BadDeviceToken")
    struck = _device(application, devices, "phone-1")
    assert (struck.strikes, struck.retired_at, struck.quarantined_at) == (1, None, None)


def test_a_refused_credential_is_paused_and_the_message_waits(
    phones: type[Phones], sent: Callable[..., list[tuple[str, str]]], application: Application
) -> None:
    with tenant_scope(application.tenant):
        credential = ensure_vapid_credential(
            tenant=application.tenant, application=application, subject="mailto:a@b.example"
        )
        ProviderCredential.objects.of(application.tenant_id).update(provider="apns")
        credential.refresh_from_db()
    for address in ("phone-0", "tablet-0", "phone-1"):
        phones.answers[address] = lambda push: Outcome(
            push.id, Result.REJECTED, Scope.CREDENTIAL, "InvalidProviderToken"
        )
    assert sent()[:2] == [("planned", ""), ("planned", "")]
    assert [one.id for one in phones.senders[0].credentials] == [credential.public_id]
    with tenant_scope(application.tenant):
        credential.refresh_from_db()
        assert (credential.paused_at is not None, credential.last_error) == (True, "InvalidProviderToken")


def test_a_network_that_refuses_nearly_everybody_is_not_believed(
    phones: type[Phones], sent: Callable[..., list[tuple[str, str]]], application: Application, devices: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(fuse, "ENOUGH", 6)
    for address in devices:
        phones.answers[address] = lambda push: Outcome(
            push.id, Result.UNREGISTERED, Scope.DEVICE, "Unregistered", gone_at=clock.now()
        )
    sent()
    assert _device(application, devices, "phone-0").retired_at is not None
    with tenant_scope(application.tenant):
        register_device(
            tenant=application.tenant, application=application, external_id="person-0000",
            device=DeviceIn("ios", "phone-9"),
        )  # fmt: skip
    for number in range(3):
        with tenant_scope(application.tenant):
            register_device(
                tenant=application.tenant, application=application, external_id="person-0001",
                device=DeviceIn("ios", f"more-{number}"),
            )  # fmt: skip
        phones.answers[f"more-{number}"] = phones.answers["phone-0"]
    sent()
    with tenant_scope(application.tenant):
        assert not Device.objects.of(application.tenant_id).exclude(retired_at=None).exists()


def test_a_new_address_is_kept_and_tried_again(
    phones: type[Phones], sent: Callable[..., list[tuple[str, str]]], application: Application, devices: dict[str, int]
) -> None:
    phones.answers["phone-1"] = lambda push: Outcome(
        push.id, Result.UNAVAILABLE, Scope.DEVICE, "301", new_address="https://push.example.com/new"
    )
    assert sent()[1] == ("planned", "")
    assert _device(application, devices, "phone-1").address == "https://push.example.com/new"


def test_what_is_left_of_its_time_travels_with_the_push(
    phones: type[Phones], sent: Callable[..., list[tuple[str, str]]]
) -> None:
    sent(ttl=timedelta(seconds=100))
    assert all(push.ttl is not None and 0 < push.ttl <= 100 for push in phones.pushes)
    phones.pushes.clear()
    sent()
    assert {push.ttl for push in phones.pushes} == {None}


def _outcome(result: Result, scope: Scope = Scope.NONE, wait: float | None = None) -> Outcome:
    return Outcome("x", result, scope, result.value, wait)


OK = _outcome(Result.ACCEPTED)
LOST = _outcome(Result.UNKNOWN, Scope.PROVIDER)
GONE = _outcome(Result.UNREGISTERED, Scope.DEVICE)
OURS = _outcome(Result.REJECTED, Scope.MESSAGE)
SLOW = _outcome(Result.THROTTLED, Scope.DEVICE, 30.0)
AWAY = _outcome(Result.UNAVAILABLE, Scope.PROVIDER, 5.0)
KEY = _outcome(Result.REJECTED, Scope.CREDENTIAL)


@pytest.mark.parametrize(
    ("outcomes", "result", "wait"),
    [
        ([GONE, OK, LOST], Result.ACCEPTED, None),
        ([SLOW, OK], Result.ACCEPTED, None),
        ([SLOW, LOST, GONE], Result.UNKNOWN, None),
        ([GONE, AWAY], Result.UNAVAILABLE, 5.0),
        ([AWAY, SLOW], Result.UNAVAILABLE, 30.0),
        ([KEY, GONE], Result.REJECTED, None),
        ([GONE, OURS], Result.REJECTED, None),
        ([GONE], Result.UNREGISTERED, None),
    ],
)
def test_a_person_with_several_devices_has_the_best_of_their_outcomes(
    outcomes: list[Outcome], result: Result, wait: float | None
) -> None:
    combined = combine("p1", outcomes)
    assert (combined.push_id, combined.result, combined.retry_after) == ("p1", result, wait)
    assert combine("p1", list(reversed(outcomes))).retry_after == wait
