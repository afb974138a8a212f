"""The provider `webpush` against a push service that checks what a real one checks."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import override_settings

from apps.core.encoding import to_base64url
from apps.providers.base import Credential, Endpoint, Notification, Outcome, Result, Scope, Sender
from apps.providers.counterparts.authority import Authority
from apps.providers.counterparts.faults import Cut, GoAway, Refuse, Say
from apps.providers.counterparts.server import Server
from apps.providers.counterparts.webpush import PushService
from apps.providers.errors import CredentialInvalid
from apps.providers.http import close_connections
from apps.providers.webpush.provider import WebPushProvider
from apps.providers.webpush.requests import SAFE_BODY
from apps.providers.webpush.vapid import new_private_key, public_key_of
from tests.providers.factories import make_push

AUTH = b"0123456789abcdef"


class Browser:
    """The keys of one subscription, and the decoder of another implementation."""

    def __init__(self, service: PushService, credential: Credential) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        public = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        address = service.subscribe(public_key_of(credential.values["private_key"]))
        self.endpoint = Endpoint(
            address, "url", public_key=to_base64url(public), auth_secret=to_base64url(AUTH), sender_key=credential.id
        )

    def read(self, body: bytes) -> dict[str, Any]:
        plain = http_ece.decrypt(body, private_key=self.key, auth_secret=AUTH, version="aes128gcm")
        read: dict[str, Any] = json.loads(plain)
        return read


def _credential(id: str) -> Credential:
    return Credential(id, {"private_key": new_private_key(), "subject": "mailto:push@shop.example"})


@pytest.fixture(scope="module")
def credential() -> Credential:
    return _credential("pcr_1")


@pytest.fixture
def service() -> PushService:
    return PushService()


@pytest.fixture
def server(service: PushService, trusted: Authority) -> Iterator[Server]:
    with Server(service, trusted.server_context()) as server:
        service.origin = server.origin
        with override_settings(EGRESS_ALLOW=frozenset({server.origin})):
            yield server


@pytest.fixture
def browser(server: Server, service: PushService, credential: Credential) -> Browser:
    return Browser(service, credential)


@pytest.fixture
def provider(credential: Credential) -> WebPushProvider:
    return WebPushProvider(Sender("local", 1, "app", (credential,)))


def _words(outcomes: list[Outcome]) -> list[tuple[Result, Scope, str]]:
    return [(outcome.result, outcome.scope, outcome.reason) for outcome in outcomes]


ACCEPTED = (Result.ACCEPTED, Scope.NONE, "")


def test_a_push_is_taken_and_only_its_browser_can_read_it(
    provider: WebPushProvider, service: PushService, browser: Browser
) -> None:
    push = make_push(1, browser.endpoint, ttl=600)
    [outcome] = provider.send([push])
    assert _words([outcome]) == [ACCEPTED]
    [stored] = service.stored
    assert outcome.provider_message_id == f"{service.origin}{stored.name}"
    assert (stored.ttl, stored.urgency, stored.topic) == (600, "high", push.id)
    read = browser.read(stored.body)
    assert (read["title"], read["body"], read["id"]) == ("Hello", "You are number 1", push.id)
    assert b"Hello" not in stored.body


def test_many_pushes_share_one_connection_across_calls(
    provider: WebPushProvider, service: PushService, server: Server, credential: Credential
) -> None:
    browsers = [Browser(service, credential) for _ in range(60)]
    pushes = [make_push(number, one.endpoint) for number, one in enumerate(browsers)]
    assert _words(provider.send(pushes[:30]) + provider.send(pushes[30:])) == [ACCEPTED] * 60
    assert len(service.stored) == 60
    assert server.connections == 1


def test_a_repeat_replaces_the_first(provider: WebPushProvider, service: PushService, browser: Browser) -> None:
    for _ in range(2):
        provider.send([make_push(1, browser.endpoint)])
    assert len(service.stored) == 1


def test_a_collapse_key_replaces_another_push(
    provider: WebPushProvider, service: PushService, browser: Browser
) -> None:
    provider.send([make_push(1, browser.endpoint, collapse_key="score")])
    provider.send([make_push(2, browser.endpoint, collapse_key="score")])
    assert [browser.read(stored.body)["body"] for stored in service.stored] == ["You are number 2"]


def test_now_or_never_and_not_urgent_are_said(
    provider: WebPushProvider, service: PushService, browser: Browser
) -> None:
    provider.send([make_push(1, browser.endpoint, ttl=0, urgent=False)])
    assert (service.stored[0].ttl, service.stored[0].urgency) == (0, "normal")


@pytest.mark.parametrize("status", [301, 308])
def test_a_push_to_an_endpoint_that_moved_goes_once_more_to_its_successor(
    provider: WebPushProvider,
    service: PushService,
    server: Server,
    browser: Browser,
    credential: Credential,
    status: int,
) -> None:
    successor = service.subscribe(public_key_of(credential.values["private_key"]))
    server.faults = {1: Say(status, b"", {"location": successor})}
    [outcome] = provider.send([make_push(1, browser.endpoint)])
    assert (outcome.result, outcome.new_address) == (Result.ACCEPTED, successor)
    assert [stored.subscription for stored in service.stored] == [successor.removeprefix(service.origin)]


def test_an_endpoint_that_moves_for_ever_is_followed_once(
    provider: WebPushProvider, service: PushService, server: Server, browser: Browser, credential: Credential
) -> None:
    places = [service.subscribe(public_key_of(credential.values["private_key"])) for _ in range(2)]
    server.faults = {at: Say(301, b"", {"location": place}) for at, place in enumerate(places, 1)}
    [outcome] = provider.send([make_push(1, browser.endpoint)])
    assert (outcome.result, outcome.scope, outcome.new_address) == (Result.UNAVAILABLE, Scope.DEVICE, places[1])
    assert server.requests == 2


def test_a_successor_that_refuses_is_not_kept(
    provider: WebPushProvider, service: PushService, server: Server, browser: Browser
) -> None:
    server.faults = {1: Say(301, b"", {"location": f"{service.origin}/push/nobody"})}
    [outcome] = provider.send([make_push(1, browser.endpoint)])
    assert (outcome.result, outcome.new_address) == (Result.UNREGISTERED, "")


def test_pushes_that_still_wait_are_taken_back(
    provider: WebPushProvider, service: PushService, server: Server, credential: Credential
) -> None:
    pushes = [make_push(number, Browser(service, credential).endpoint) for number in range(3)]
    names = [outcome.provider_message_id for outcome in provider.send(pushes)]
    service.stored.pop()  # delivered meanwhile
    refused = ["https://169.254.169.254/m/1", "not a URL"]
    assert provider.withdraw([*names, *refused]) == 2
    assert service.stored == []


def test_a_subscription_that_ended_is_unregistered(
    provider: WebPushProvider, service: PushService, browser: Browser
) -> None:
    service.gone.add(browser.endpoint.address.removeprefix(service.origin))
    assert _words(provider.send([make_push(1, browser.endpoint)])) == [
        (Result.UNREGISTERED, Scope.DEVICE, "410 errno 106")
    ]


def test_each_subscription_is_served_with_the_key_it_was_made_with(
    service: PushService, server: Server, credential: Credential
) -> None:
    newer = _credential("pcr_2")
    provider = WebPushProvider(Sender("local", 1, "app", (newer, credential)))
    pushes = [make_push(n, Browser(service, one).endpoint) for n, one in enumerate((newer, credential))]
    assert _words(provider.send(pushes)) == [ACCEPTED] * 2


def test_a_key_that_nobody_accepts_is_the_credentials_fault(
    service: PushService, server: Server, credential: Credential
) -> None:
    browser = Browser(service, credential)
    impostor = Credential(credential.id, _credential("x").values)
    provider = WebPushProvider(Sender("local", 1, "app", (impostor,)))
    assert _words(provider.send([make_push(1, browser.endpoint)])) == [
        (Result.REJECTED, Scope.CREDENTIAL, "403 errno 109")
    ]


def test_a_key_that_others_accept_is_the_devices_fault(
    provider: WebPushProvider, service: PushService, browser: Browser, credential: Credential
) -> None:
    other = Browser(service, credential)
    service.subscriptions[other.endpoint.address.removeprefix(service.origin)] = public_key_of(new_private_key())
    words = _words(provider.send([make_push(1, browser.endpoint), make_push(2, other.endpoint)]))
    assert words == [ACCEPTED, (Result.REJECTED, Scope.DEVICE, "403 errno 109")]


def test_a_subscription_made_with_a_key_we_no_longer_hold_is_not_tried(
    provider: WebPushProvider, server: Server, browser: Browser
) -> None:
    foreign = make_push(1, Endpoint(browser.endpoint.address, "url", sender_key="pcr_9"))
    assert _words(provider.send([foreign])) == [(Result.REJECTED, Scope.DEVICE, "no_key_for_subscription")]
    assert server.requests == 0


def test_a_payload_that_is_too_long_is_the_messages_fault(
    provider: WebPushProvider, server: Server, browser: Browser
) -> None:
    push = make_push(1, browser.endpoint, notification=Notification("x", "y" * 2_700))
    assert _words(provider.send([push])) == [(Result.REJECTED, Scope.MESSAGE, "payload_too_large")]
    assert server.requests == 0


def test_an_application_that_wants_more_gets_what_services_take(
    browser: Browser, credential: Credential, service: PushService
) -> None:
    opted = Credential(credential.id, {**credential.values, "size": "full"})
    provider = WebPushProvider(Sender("local", 1, "app", (opted,)))
    sizes = [make_push(n, browser.endpoint, notification=Notification("x", "y" * n)) for n in (3_000, 4_000)]
    assert _words(provider.send(sizes)) == [ACCEPTED, (Result.REJECTED, Scope.MESSAGE, "payload_too_large")]
    assert [len(stored.body) > SAFE_BODY for stored in service.stored] == [True]


def test_what_every_browser_takes_is_filled_to_the_last_byte(
    provider: WebPushProvider, browser: Browser, service: PushService
) -> None:
    provider.send([make_push(1, browser.endpoint, notification=Notification("x", "y"))])
    room = SAFE_BODY - len(service.stored[0].body) + 1
    texts = ["y" * room, "y" * (room + 1)]
    pushes = [make_push(n, browser.endpoint, notification=Notification("x", text)) for n, text in enumerate(texts)]
    outcomes = provider.send(pushes)
    assert [outcome.result for outcome in outcomes] == [Result.ACCEPTED, Result.REJECTED]
    assert len(service.stored[-1].body) == SAFE_BODY


def test_damaged_keys_are_the_devices_fault(provider: WebPushProvider, browser: Browser) -> None:
    endpoint = Endpoint(browser.endpoint.address, "url", public_key="AAAA", auth_secret="AAAA")
    assert _words(provider.send([make_push(1, endpoint)])) == [
        (Result.REJECTED, Scope.DEVICE, "subscription_keys_invalid")
    ]


def test_an_endpoint_inside_is_never_called_whatever_its_name_says(
    provider: WebPushProvider, browser: Browser, service: PushService, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = browser.endpoint
    real = socket.getaddrinfo

    def rebound(host: str, *rest: Any, **named: Any) -> Any:
        return real("127.0.0.1" if host == "push.example.com" else host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    addresses = ["https://169.254.169.254/latest", "http://10.0.0.1/", "https://push.example.com/push/1"]
    pushes = [
        make_push(n, Endpoint(address, "url", "", endpoint.public_key, endpoint.auth_secret))
        for n, address in enumerate(addresses)
    ]
    words = _words(provider.send([*pushes, make_push(9, endpoint)]))
    assert words == [
        (Result.REJECTED, Scope.DEVICE, "address_refused:address"),
        (Result.REJECTED, Scope.DEVICE, "address_refused:scheme"),
        (Result.REJECTED, Scope.DEVICE, "address_refused:address"),
        ACCEPTED,
    ]
    assert len(service.stored) == 1


def test_the_address_that_was_checked_is_the_one_that_is_called(
    service: PushService, credential: Credential, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name means nothing to any resolver but the one of the check, and the certificate is for the name."""
    authority = Authority(tmp_path, names=("push.example.com",))
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port, type: [(2, type, 6, "", ("127.0.0.1", port))])
    with Server(service, authority.server_context()) as server:
        service.origin = f"https://push.example.com:{server.port}"
        browser = Browser(service, credential)
        with override_settings(EGRESS_ALLOW=frozenset({service.origin}), EGRESS_CA=str(authority.ca_file)):
            provider = WebPushProvider(Sender("local", 1, "app", (credential,)))
            assert _words(provider.send([make_push(1, browser.endpoint)])) == [ACCEPTED]
            close_connections()


def test_faults_in_the_middle_lose_and_repeat_nothing(
    provider: WebPushProvider, service: PushService, server: Server, credential: Credential
) -> None:
    server.faults = {
        20: Refuse(), 40: GoAway(), 60: Say(429, b"", {"retry-after": "7"}), 80: Say(503), 100: Cut(),
    }  # fmt: skip
    browsers = [Browser(service, credential) for _ in range(150)]
    pushes = [make_push(number, one.endpoint) for number, one in enumerate(browsers)]
    outcomes = provider.send(pushes)
    taken = {stored.topic for stored in service.stored}
    accepted = {outcome.push_id for outcome in outcomes if outcome.result is Result.ACCEPTED}
    unknown = {outcome.push_id for outcome in outcomes if outcome.result is Result.UNKNOWN}
    assert accepted <= taken <= accepted | unknown
    assert [outcome.retry_after for outcome in outcomes if outcome.result is Result.THROTTLED] == [7.0]
    assert sum(outcome.result is Result.UNAVAILABLE for outcome in outcomes) == 1


def _checked(values: Mapping[str, str]) -> None:
    WebPushProvider(Sender("local", 1, "app", (Credential("pcr_1", values),))).check()


@pytest.mark.parametrize(
    ("field", "value"), [("private_key", "AAAA"), ("private_key", ""), ("subject", "push@shop.example")]
)
def test_a_credential_that_cannot_sign_is_refused(field: str, value: str, credential: Credential) -> None:
    with pytest.raises(CredentialInvalid) as refused:
        _checked({**credential.values, field: value})
    assert list(refused.value.fields) == [field]


def test_a_good_credential_is_taken(credential: Credential) -> None:
    _checked(credential.values)
