"""Taking back what a push service still holds of a message that was cancelled or recalled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import override_settings

from apps.audience.addresses import DeviceIn
from apps.audience.services.devices import register_device
from apps.core import clock
from apps.core.encoding import to_base64url
from apps.messaging.models import Message, WaitingPush
from apps.messaging.sending.pipeline import send_due_chunks
from apps.messaging.sending.withdrawing import KEPT, withdraw_pushes
from apps.messaging.services import accept_message
from apps.messaging.services.inbox import recall_copies
from apps.messaging.services.messages import cancel_message
from apps.providers import registry
from apps.providers.base import Needs, Outcome, Push, Result, Sender
from apps.providers.counterparts.authority import Authority
from apps.providers.counterparts.server import Server
from apps.providers.counterparts.webpush import PushService
from apps.providers.credentials import ensure_vapid_credential, open_credential
from apps.providers.http import close_connections
from apps.providers.webpush.vapid import public_key_of
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker", "clean_valkey")]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[PushService]:
    authority, service = Authority(tmp_path), PushService()
    with Server(service, authority.server_context()) as server:
        service.origin = server.origin
        with override_settings(EGRESS_ALLOW=frozenset({server.origin}), EGRESS_CA=str(authority.ca_file)):
            yield service
            close_connections()


@pytest.fixture
def browsers(service: PushService, application: Application, people: list[str]) -> None:
    """One for each of the three."""
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = to_base64url(public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
    with tenant_scope(application.tenant):
        row = ensure_vapid_credential(
            tenant=application.tenant, application=application, subject="mailto:push@shop.example"
        )
        key = public_key_of(open_credential(tenant=application.tenant, credential=row).values["private_key"])
        for name in people:
            device = DeviceIn(
                "web", service.subscribe(key), public_key=point, auth_secret=to_base64url(b"0" * 16),
                sender_key=row.public_id,
            )  # fmt: skip
            register_device(tenant=application.tenant, application=application, external_id=name, device=device)


@pytest.fixture
def sent(application: Application, people: list[str]) -> Callable[..., Message]:
    """A message that has left by Web Push."""

    def send(**given: object) -> Message:
        with tenant_scope(application.tenant):
            message: Message = accept_message(
                tenant=application.tenant, application=application, content={"en": {"title": "Hi"}},
                routes=["webpush"], external_ids=people, **given,  # type: ignore[arg-type]
            )  # fmt: skip
        send_due_chunks(seconds=30)
        return message

    return send


def _kept(message: Message) -> list[WaitingPush]:
    with tenant_scope(message.tenant_id):
        return list(WaitingPush.objects.of(message.tenant_id).filter(message=message))


def _withdrawn(message: Message) -> int:
    with tenant_scope(message.tenant_id):
        return Message.objects.of(message.tenant_id).get(pk=message.pk).withdrawn


@pytest.mark.usefixtures("browsers")
@pytest.mark.parametrize("stop", [cancel_message, recall_copies])
def test_what_still_waits_is_taken_back_and_counted(
    service: PushService, sent: Callable[..., Message], stop: Callable[..., Message]
) -> None:
    message, other = sent(), sent()
    assert len(service.stored) == len(_kept(message)) + len(_kept(other)) == 6
    service.stored.pop(0)  # one browser was awake
    with tenant_scope(message.tenant_id):
        stop(tenant=message.tenant, message=message)
    withdraw_pushes()
    assert (_withdrawn(message), _kept(message)) == (2, [])
    assert (len(service.stored), len(_kept(other)), _withdrawn(other)) == (3, 3, 0)


@pytest.mark.usefixtures("browsers")
def test_nothing_is_asked_for_twice(service: PushService, sent: Callable[..., Message]) -> None:
    message = sent()
    with tenant_scope(message.tenant_id):
        cancel_message(tenant=message.tenant, message=message)
    for _tick in range(2):
        withdraw_pushes()
    assert _withdrawn(message) == 3


@pytest.mark.usefixtures("browsers")
def test_names_are_kept_while_the_push_may_wait(service: PushService, sent: Callable[..., Message]) -> None:
    now = clock.now()
    short, long = sent(ttl=timedelta(hours=1)), sent()
    assert all(one.expires_at <= now + timedelta(hours=1, seconds=5) for one in _kept(short))
    assert all(now + KEPT <= one.expires_at <= clock.now() + KEPT for one in _kept(long))
    with tenant_scope(short.tenant_id):
        WaitingPush.objects.of(short.tenant_id).filter(message=short).update(expires_at=now)
    withdraw_pushes()
    assert (len(_kept(short)), len(_kept(long))) == (0, 3)


def test_a_service_that_is_away_keeps_its_pushes_and_breaks_nothing(
    monkeypatch: pytest.MonkeyPatch, application: Application, people: list[str]
) -> None:
    class Broken:
        needs = Needs(reaches="devices", withdraws=True)

        def __init__(self, sender: Sender) -> None:
            self.sender = sender

        def send(self, pushes: Sequence[Push]) -> list[Outcome]:
            return [Outcome(push.id, Result.ACCEPTED, provider_message_id=push.id) for push in pushes]

        def withdraw(self, names: Sequence[str]) -> int:
            raise OSError("away")

    monkeypatch.setattr(registry, "_factory", lambda _name: Broken)
    with tenant_scope(application.tenant):
        register_device(
            tenant=application.tenant, application=application, external_id=people[0], device=DeviceIn("ios", "phone")
        )
    with tenant_scope(application.tenant):
        message = accept_message(
            tenant=application.tenant, application=application, content={"en": {"title": "Hi"}}, routes=["apns"],
            external_ids=people[:1],
        )  # fmt: skip
    send_due_chunks(seconds=30)
    assert len(_kept(message)) == 1
    with tenant_scope(message.tenant_id):
        recall_copies(tenant=message.tenant, message=message)
    withdraw_pushes()
    assert (_kept(message), _withdrawn(message)) == ([], 0)
