"""The sender over real sockets, where the wire is not what is looked at: who waits for what, and for how long."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

import pytest
from django.test import override_settings
from hyperframe.frame import SettingsFrame

from apps.providers.calls import HOPELESS_AFTER
from apps.providers.counterparts.authority import Authority
from apps.providers.counterparts.faults import Slow
from apps.providers.counterparts.server import Incoming, Outgoing, Server
from apps.providers.exchanges import Answer, Lane, Lost, Reply, Request
from apps.providers.http import close_connections, exchange
from apps.providers.http2 import lane as lanes
from apps.providers.http2 import link as links
from apps.providers.http2 import streams
from tests.providers.http2.peers import answer, goodbye, wire
from tests.providers.tunnels import Tunnel

MANY = 200


@dataclass
class Ledger:
    allows_one_stream_first: bool = False
    taken: list[str] = field(default_factory=list)

    def take(self, incoming: Incoming) -> Outgoing:
        self.taken.append(incoming.path)
        return Outgoing(200, {"x-size": str(len(incoming.body))})


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def server(ledger: Ledger, trusted: Authority) -> Iterator[Server]:
    with Server(ledger, trusted.server_context()) as server:
        yield server
        close_connections()


def _lane(origin: str) -> Lane:
    return Lane("key-1", origin, connections=2, streams=50, timeout=10)


def _requests(origin: str, count: int = MANY, body: bytes = b"body") -> list[Request]:
    return [Request(f"{origin}/{number}", {"x-test": "1"}, body) for number in range(count)]


def _statuses(answers: list[Answer]) -> set[int]:
    return {answer.status if isinstance(answer, Reply) else 0 for answer in answers}


@contextmanager
def _script(tls: ssl.SSLContext, act: Callable[[ssl.SSLSocket], None]) -> Iterator[str]:
    """A server that does this with each connection. Its origin."""

    def serve() -> None:
        with suppress(OSError):
            while True:
                accepted, _address = listener.accept()
                threading.Thread(target=play, args=(accepted,), daemon=True).start()

    def play(accepted: socket.socket) -> None:
        with suppress(OSError), tls.wrap_socket(accepted, server_side=True) as client:
            act(client)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        close_connections()
        listener.shutdown(socket.SHUT_RDWR)


def _until_closed(client: ssl.SSLSocket) -> None:
    with suppress(OSError):
        while client.recv(65_536):
            pass


def _greets(client: ssl.SSLSocket, *said: bytes) -> None:
    """Settings, then once the request is there, the rest."""
    client.sendall(wire(SettingsFrame(0)))
    heard = b""
    while b"x-test" not in heard:
        heard += client.recv(65_536)
    for one in said:
        client.sendall(one)
    _until_closed(client)


def test_no_more_streams_than_the_server_allows(ledger: Ledger, trusted: Authority) -> None:
    with Server(ledger, trusted.server_context(), max_streams=3) as server:
        answers = exchange(_lane(server.origin), _requests(server.origin))
        close_connections()
    assert _statuses(answers) == {200}
    assert (len(ledger.taken), server.connections) == (MANY, 2)  # one stream more, and h2 ends the connection


def test_bodies_larger_than_the_window_arrive_whole(server: Server) -> None:
    answers = exchange(_lane(server.origin), _requests(server.origin, 20, b"x" * 100_000))
    assert {answer.headers["x-size"] for answer in answers if isinstance(answer, Reply)} == {"100000"}


def test_a_connection_whose_numbers_are_used_up_is_replaced(
    server: Server, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MAX_STREAM", 99)
    answers = exchange(replace(_lane(server.origin), connections=1), _requests(server.origin))
    assert _statuses(answers) == {200}
    assert sorted(ledger.taken) == sorted(f"/{number}" for number in range(MANY))
    assert server.connections == MANY / 50


def test_calls_at_the_same_time_share_the_connections(server: Server, ledger: Ledger) -> None:
    with ThreadPoolExecutor(8) as pool:
        work = [pool.submit(exchange, _lane(server.origin), _requests(server.origin)) for _ in range(8)]
        assert all(_statuses(one.result()) == {200} for one in work)
    assert len(ledger.taken) == 8 * MANY
    assert server.connections == 2


def test_an_idle_connection_that_the_server_ended_is_replaced(server: Server, ledger: Ledger) -> None:
    lane = replace(_lane(server.origin), connections=1)
    exchange(lane, _requests(server.origin, 1))
    server._loop.call_soon_threadsafe(lambda: [one.cut() for one in list(server._open)])
    while server._open:
        time.sleep(0.01)
    answers = [exchange(lane, _requests(server.origin, 1))[0] for _ in range(3)]
    assert isinstance(answers[-1], Reply)
    assert len(ledger.taken) == 1 + sum(isinstance(one, Reply) for one in answers)


def test_words_of_a_goodbye_are_the_reason_why_nothing_was_sent(trusted: Authority) -> None:
    def act(client: ssl.SSLSocket) -> None:
        client.sendall(wire(SettingsFrame(0), goodbye(0, b'{"reason":"BadCertificate"}')))
        _until_closed(client)

    with _script(trusted.server_context(), act) as origin:
        answers = exchange(replace(_lane(origin), connections=1), _requests(origin, 10))
    assert answers == [Lost(False, "BadCertificate")] * HOPELESS_AFTER + [Lost(False, "unreachable")] * 7


def test_a_server_that_refuses_for_ever_is_not_asked_for_ever(trusted: Authority) -> None:
    with _script(trusted.server_context(), lambda client: _greets(client, wire(goodbye(0)))) as origin:
        [end] = exchange(_lane(origin), _requests(origin, 1))
    assert end == Lost(False, "connection_left")


def test_what_a_goodbye_promised_is_waited_for_and_no_longer(
    trusted: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "_LINGER", 0.2)
    with _script(trusted.server_context(), lambda client: _greets(client, wire(goodbye(1)))) as origin:
        [end] = exchange(replace(_lane(origin), timeout=5), _requests(origin, 1))
    assert end == Lost(True, "goodbye_and_no_answer")


def test_a_server_that_breaks_the_rules_leaves_everything_unknown(trusted: Authority) -> None:
    with _script(trusted.server_context(), lambda client: _greets(client, wire(answer(8)))) as origin:
        [end] = exchange(_lane(origin), _requests(origin, 1))
    assert end == Lost(True, "protocol: stream that never was")


def test_a_connection_without_a_sign_of_life_is_asked_and_left(
    trusted: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "_PING_EVERY", 0.1)
    monkeypatch.setattr(links, "_PING_TIMEOUT", 0.1)
    with _script(trusted.server_context(), _greets) as origin:
        [end] = exchange(replace(_lane(origin), timeout=1.5), _requests(origin, 1))
    assert end == Lost(True, "no_answer_to_ping")


def test_a_slow_server_that_answers_pings_is_waited_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "_PING_EVERY", 0.1)
    server.faults = {1: Slow(1.0)}
    assert _statuses(exchange(_lane(server.origin), _requests(server.origin, 1))) == {200}


def test_a_server_that_never_says_its_settings_was_sent_nothing(
    trusted: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "_CONNECT_TIMEOUT", 0.2)
    with _script(trusted.server_context(), _until_closed) as origin:
        answers = exchange(_lane(origin), _requests(origin, 1))
    assert answers == [Lost(False, "connect_timeout")]


def test_a_server_that_does_not_speak_http2_was_sent_nothing(trusted: Authority) -> None:
    heard: list[bytes] = []
    context = trusted.server_context()
    context.set_alpn_protocols(["http/1.1"])
    with _script(context, lambda client: heard.append(client.recv(1))) as origin:
        answers = exchange(_lane(origin), _requests(origin, 1))
    assert isinstance(answers[0], Lost)
    assert not answers[0].sent
    assert heard in ([], [b""])


@pytest.mark.parametrize("is_secure", [False, True], ids=["plain-proxy", "tls-proxy"])
def test_a_credential_leaves_by_its_own_proxy(
    server: Server, tunnel: Tunnel, trusted: Authority, is_secure: bool
) -> None:
    if is_secure:
        tunnel.tls = trusted.server_context()
    with override_settings(EGRESS_ALLOW=frozenset({tunnel.origin})):
        lane = replace(_lane(server.origin), connections=1, proxy=tunnel.origin.replace("//", "//me:p%40ss@"))
        assert _statuses(exchange(lane, _requests(server.origin))) == {200}
        close_connections()
    [head] = tunnel.asked
    assert head.startswith(f"CONNECT {server.origin.removeprefix('https://')} HTTP/1.1\r\n")
    assert base64.b64encode(b"me:p@ss").decode() in head


def test_the_proxy_of_the_installation_is_for_everybody(server: Server, tunnel: Tunnel) -> None:
    with override_settings(EGRESS_PROXY=tunnel.origin.replace("//", "//all:secret@")):
        assert _statuses(exchange(_lane(server.origin), _requests(server.origin, 1))) == {200}
        close_connections()
    assert base64.b64encode(b"all:secret").decode() in tunnel.asked[0]


def test_a_proxy_that_refuses_was_sent_nothing(server: Server, ledger: Ledger, tunnel: Tunnel) -> None:
    tunnel.refuses = "407 Proxy Authentication Required"
    with override_settings(EGRESS_PROXY=tunnel.origin):
        answers = exchange(_lane(server.origin), _requests(server.origin, 1))
        close_connections()
    assert answers == [Lost(False, "proxy_refused")]
    assert ledger.taken == []
