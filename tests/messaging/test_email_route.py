"""The route `email` from registration to the click that ends it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from django.test import Client, override_settings

from apps.audience.addresses import DeviceIn
from apps.audience.errors import DeviceInvalid
from apps.audience.models import Device, OptOut
from apps.audience.services.devices import register_device
from apps.messaging.sending.pipeline import send_due_chunks
from apps.messaging.services import accept_message
from apps.providers.counterparts.smtp import MailCounterpart
from apps.providers.credentials import save_credential
from apps.providers.email.sending import close_mail_connections
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker", "clean_valkey")]


@pytest.fixture
def mail_server() -> Iterator[MailCounterpart]:
    with (
        MailCounterpart() as server,
        override_settings(EGRESS_ALLOW={server.origin}, PUBLIC_URL="https://push.example"),
    ):
        yield server
        close_mail_connections()


@pytest.fixture
def mailbox(application: Application, people: list[str], mail_server: MailCounterpart) -> Device:
    """The first person's; and the account to send with."""
    values = {"from": "news@shop.example", "server": f"127.0.0.1:{mail_server.port}"}
    save_credential(
        tenant=application.tenant, application=application, provider="email", name="Mail", values=values
    )  # fmt: skip
    with tenant_scope(application.tenant):
        device, _new = register_device(
            tenant=application.tenant, application=application, external_id=people[0],
            device=DeviceIn("email", "Ann@Example.COM"),
        )  # fmt: skip
    return device


def _send(application: Application, people: list[str]) -> None:
    with tenant_scope(application.tenant):
        accept_message(
            tenant=application.tenant, application=application, routes=["email"], external_ids=people,
            content={"en": {"title": "Hi {{ subscriber.name }}", "body": "News"}},
        )  # fmt: skip
    send_due_chunks(seconds=30)


def test_a_mailbox_is_registered_like_a_device(mailbox: Device) -> None:
    assert (mailbox.provider, mailbox.address_kind, mailbox.address) == ("email", "mailbox", "Ann@example.com")


def test_what_is_no_mailbox_is_not_registered(application: Application) -> None:
    for address in ("ann", "ann@", "a b@example.com", f"{'a' * 250}@example.com", "ann@example.com\nBcc: x@y.example"):
        with tenant_scope(application.tenant), pytest.raises(DeviceInvalid) as refused:
            register_device(
                tenant=application.tenant, application=application, external_id="ann",
                device=DeviceIn("email", address),
            )  # fmt: skip
        assert list(refused.value.fields) == ["address"]


def test_a_mail_program_unsubscribes_with_one_post(
    mailbox: Device, application: Application, people: list[str], mail_server: MailCounterpart, client: Client
) -> None:
    _send(application, people[:1])
    [arrived] = mail_server.arrived
    assert (arrived.recipient, arrived.mail["Subject"]) == ("Ann@example.com", "Hi Name 0")
    assert arrived.mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    page = urlsplit(arrived.mail["List-Unsubscribe"].strip(" <>"))
    assert client.get(page.path).status_code == 200
    with tenant_scope(application.tenant):
        assert not OptOut.objects.of(application.tenant_id).exists()
    assert client.post(page.path, {"List-Unsubscribe": "One-Click"}).status_code == 204
    with tenant_scope(application.tenant):
        [said] = OptOut.objects.of(application.tenant_id)
        assert (said.subscriber_id, said.category_id) == (mailbox.subscriber_id, None)


def test_a_dead_mailbox_is_not_written_to_again(
    mailbox: Device, application: Application, people: list[str], mail_server: MailCounterpart
) -> None:
    mail_server.behaviour.refusals["Ann@example.com"] = "550 5.1.1 no such user"
    _send(application, people[:1])
    with tenant_scope(application.tenant):
        mailbox.refresh_from_db()
    assert (mailbox.retired_at is not None, mailbox.retired_reason) == (True, "550 5.1.1")
