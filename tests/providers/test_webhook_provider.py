"""The provider `webhook`: what it signs verifies elsewhere, and what the receiver answers becomes a word."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest
from django.test import override_settings
from standardwebhooks.webhooks import Webhook

from apps.providers.base import Credential, Outcome, Result, Scope, Sender
from apps.providers.counterparts.authority import Authority
from apps.providers.counterparts.faults import Say
from apps.providers.counterparts.server import Incoming, Outgoing, Server
from apps.providers.errors import CredentialInvalid
from apps.providers.webhook import WebhookProvider
from tests.providers.factories import make_push

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


@dataclass
class Receiver:
    allows_one_stream_first: bool = False
    requests: list[Incoming] = field(default_factory=list)

    def take(self, incoming: Incoming) -> Outgoing:
        self.requests.append(incoming)
        return Outgoing(204)


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def server(receiver: Receiver, trusted: Authority) -> Iterator[Server]:
    with (
        Server(receiver, trusted.server_context()) as server,
        override_settings(EGRESS_ALLOW=frozenset({server.origin})),
    ):
        yield server


def _provider(values: Mapping[str, str]) -> WebhookProvider:
    return WebhookProvider(Sender("local", 1, "app", (Credential("pcr_1", values),)))


@pytest.fixture
def provider(server: Server) -> WebhookProvider:
    return _provider({"url": f"{server.origin}/pushes?app=1", "secret": SECRET})


def _words(outcomes: list[Outcome]) -> list[tuple[Result, Scope, str]]:
    return [(outcome.result, outcome.scope, outcome.reason) for outcome in outcomes]


def test_every_push_arrives_and_the_standards_own_library_verifies_it(
    provider: WebhookProvider, receiver: Receiver
) -> None:
    pushes = [make_push(number) for number in range(3)]
    assert _words(provider.send(pushes)) == [(Result.ACCEPTED, Scope.NONE, "")] * 3
    for request in receiver.requests:
        said = Webhook(SECRET).verify(request.body, request.headers)
        assert said["type"] == "push.send"
        assert said["data"]["id"] == request.headers["webhook-id"]
    assert {request.path for request in receiver.requests} == {"/pushes?app=1"}
    recipients = {json.loads(request.body)["data"]["recipient"] for request in receiver.requests}
    assert recipients == {"person-0", "person-1", "person-2"}


@pytest.mark.parametrize(
    ("status", "result", "scope"),
    [
        (302, Result.REJECTED, Scope.CREDENTIAL),
        (400, Result.REJECTED, Scope.MESSAGE),
        (401, Result.REJECTED, Scope.CREDENTIAL),
        (403, Result.REJECTED, Scope.CREDENTIAL),
        (404, Result.REJECTED, Scope.DEVICE),
        (408, Result.UNAVAILABLE, Scope.PROVIDER),
        (410, Result.REJECTED, Scope.CREDENTIAL),
        (413, Result.REJECTED, Scope.MESSAGE),
        (429, Result.THROTTLED, Scope.CREDENTIAL),
        (500, Result.UNAVAILABLE, Scope.PROVIDER),
        (503, Result.UNAVAILABLE, Scope.PROVIDER),
    ],
)
def test_an_answer_becomes_a_word(
    provider: WebhookProvider, server: Server, status: int, result: Result, scope: Scope
) -> None:
    server.faults = {1: Say(status, b"", {"retry-after": "9"})}
    [outcome] = provider.send([make_push(1)])
    assert _words([outcome]) == [(result, scope, str(status))]
    assert outcome.retry_after == (9.0 if result in {Result.THROTTLED, Result.UNAVAILABLE} else None)


def test_an_address_inside_is_not_called(server: Server, receiver: Receiver) -> None:
    provider = _provider({"url": "https://169.254.169.254/latest", "secret": SECRET})
    assert _words(provider.send([make_push(1)])) == [(Result.REJECTED, Scope.CREDENTIAL, "address_refused:address")]
    assert receiver.requests == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "http://push.example.com/"),
        ("url", "https://10.0.0.1/"),
        ("secret", "secret"),
        ("secret", "whsec_!!!"),
        ("secret", "whsec_" + base64.b64encode(b"short").decode()),
    ],
)
def test_a_credential_that_cannot_work_is_refused(provider: WebhookProvider, field: str, value: str) -> None:
    with pytest.raises(CredentialInvalid) as refused:
        _provider({**provider.sender.credentials[0].values, field: value}).check()
    assert list(refused.value.fields) == [field]


def test_a_good_credential_is_taken_without_a_request(provider: WebhookProvider, server: Server) -> None:
    provider.check()
    assert server.requests == 0


def test_without_a_credential_nothing_is_sent(server: Server) -> None:
    [outcome] = WebhookProvider(Sender("local", 1, "app")).send([make_push(1)])
    assert _words([outcome]) == [(Result.REJECTED, Scope.CREDENTIAL, "no_credential")]
