"""A credential's own proxy: who goes through it, and which are never called."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator

import pytest
from django.test import override_settings

from apps.core.egress import AddressRefused
from apps.providers import proxies
from apps.providers.base import Credential, Result, Sender
from apps.providers.counterparts.authority import Authority
from apps.providers.counterparts.server import Server
from apps.providers.counterparts.webpush import PushService
from apps.providers.errors import CredentialInvalid
from apps.providers.exchanges import Lane, Lost, Request
from apps.providers.http import close_connections, exchange_on
from apps.providers.webpush.provider import WebPushProvider
from tests.providers.factories import make_push
from tests.providers.test_webpush_provider import Browser, _credential
from tests.providers.tunnels import Tunnel


@pytest.fixture
def service(trusted: Authority, tunnel: Tunnel) -> Iterator[PushService]:
    service = PushService()
    with Server(service, trusted.server_context()) as server:
        service.origin = server.origin
        with override_settings(EGRESS_ALLOW=frozenset({server.origin, tunnel.origin})):
            yield service
            close_connections()


def _provider(proxy: str) -> tuple[WebPushProvider, Credential]:
    plain = _credential("pcr_1")
    credential = Credential(plain.id, {**plain.values, "proxy": proxy})
    return WebPushProvider(Sender("local", 1, "app", (credential,))), credential


def test_pushes_of_a_credential_leave_by_its_proxy(service: PushService, tunnel: Tunnel) -> None:
    provider, credential = _provider(tunnel.origin.replace("//", "//me:p%40ss@"))
    pushes = [make_push(number, Browser(service, credential).endpoint) for number in range(5)]
    assert {outcome.result for outcome in provider.send(pushes)} == {Result.ACCEPTED}
    [head] = tunnel.asked
    assert head.startswith(f"CONNECT {service.origin.removeprefix('https://')} ")
    assert base64.b64encode(b"me:p@ss").decode() in head


def test_pushes_of_others_do_not(service: PushService, tunnel: Tunnel) -> None:
    provider, credential = _provider("")
    [outcome] = provider.send([make_push(1, Browser(service, credential).endpoint)])
    assert (outcome.result, tunnel.asked) == (Result.ACCEPTED, [])


def test_a_proxy_that_is_away_has_sent_nothing(service: PushService, tunnel: Tunnel) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        away = f"http://127.0.0.1:{free.getsockname()[1]}"
    with override_settings(EGRESS_ALLOW=frozenset({service.origin, away})):
        provider, credential = _provider(away)
        [outcome] = provider.send([make_push(1, Browser(service, credential).endpoint)])
    assert (outcome.result, service.stored) == (Result.UNAVAILABLE, [])


def test_a_proxy_inside_is_never_called_and_stops_nobody_else(service: PushService, tunnel: Tunnel) -> None:
    inside = f"http://127.0.0.1:{tunnel.listener.getsockname()[1]}"
    with override_settings(EGRESS_ALLOW=frozenset({service.origin})):
        request = Request(f"{service.origin}/push/nobody", {"ttl": "0"})
        lanes = [Lane("a", service.origin, "127.0.0.1", proxy=inside), Lane("b", service.origin, "127.0.0.1")]
        refused, answered = exchange_on([(lane, [request]) for lane in lanes])
    assert refused == [Lost(False, "proxy_refused")]
    assert not isinstance(answered[0], Lost)
    assert tunnel.asked == []


@pytest.mark.parametrize(
    "text",
    [
        "proxy.example.com",
        "socks5://proxy.example.com:1080",
        "http://proxy.example.com:22",
        "http://10.0.0.1:3128",
        "http://169.254.169.254:8080",
        "http://localhost:3128",
        "http://proxy.example.com:3128/path",
        "http://a@proxy.example.com:3128",
        "http://0x7f.1:3128",
    ],
)
def test_what_is_no_public_proxy_is_refused_when_it_is_saved(text: str) -> None:
    with pytest.raises(AddressRefused):
        proxies.read(text)
    with pytest.raises(CredentialInvalid) as refused:
        proxies.check({"proxy": text})
    assert list(refused.value.fields) == ["proxy"]


def test_a_proxy_may_ask_for_a_name_and_a_password() -> None:
    proxy = proxies.read("http://me:p%40ss@proxy.example.com:8080/")
    assert (proxy.place.origin, proxy.name, proxy.password) == ("http://proxy.example.com:8080", "me", "p@ss")
    assert proxies.read("https://proxy.example.com").place.port == 443
