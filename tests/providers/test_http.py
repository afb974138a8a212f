"""What a missing answer means, against a server that misbehaves on demand. The server keeps the truth."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from django.test import override_settings

from apps.providers.calls import HOPELESS_AFTER
from apps.providers.counterparts.authority import Authority
from apps.providers.counterparts.faults import Cut, Fault, GoAway, Refuse, Reset, Say, Stall
from apps.providers.counterparts.server import Incoming, Outgoing, Server
from apps.providers.exchanges import MAX_BODY, Answer, Lane, Lost, Reply, Request
from apps.providers.http import close_connections, exchange

MANY = 400


@dataclass
class Ledger:
    """Says yes to everything and remembers the paths it said yes to."""

    allows_one_stream_first: bool = True
    taken: list[str] = field(default_factory=list)
    body: bytes = b""

    def take(self, incoming: Incoming) -> Outgoing:
        self.taken.append(incoming.path)
        return Outgoing(200, {"x-path": incoming.path}, self.body)


@pytest.fixture(params=[True, False], ids=["own", "library"], autouse=True)
def is_own(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Whether our sender is used: either must mean the same by what it says."""
    with override_settings(OWN_HTTP2=request.param):
        yield bool(request.param)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def server(ledger: Ledger, trusted: Authority) -> Iterator[Server]:
    with Server(ledger, trusted.server_context()) as server:
        yield server


def _lane(server: Server) -> Lane:
    return Lane("key-1", server.origin, connections=2, streams=50, timeout=10, unproven=frozenset({401, 403, 429}))


def _requests(server: Server, count: int = MANY) -> list[Request]:
    return [Request(f"{server.origin}/{number}", {"x-test": "1"}, b"body") for number in range(count)]


def _accepted(answers: list[Answer]) -> list[str]:
    return [f"/{n}" for n, answer in enumerate(answers) if isinstance(answer, Reply) and answer.status == 200]


def test_answers_come_in_the_order_of_the_requests(server: Server) -> None:
    answers = exchange(_lane(server), _requests(server))
    assert [answer.headers["x-path"] for answer in answers if isinstance(answer, Reply)] == [
        f"/{number}" for number in range(MANY)
    ]


def test_connections_are_kept_between_calls(server: Server) -> None:
    for _ in range(3):
        exchange(_lane(server), _requests(server, 50))
    assert server.connections == 2


def test_another_owner_shares_no_connection(server: Server) -> None:
    lane = replace(_lane(server), connections=1)
    exchange(lane, _requests(server, 5))
    exchange(replace(lane, owner="key-2"), _requests(server, 5))
    assert server.connections == 2


@pytest.mark.parametrize(
    "faults",
    [{60: Refuse()}, {number: Refuse() for number in range(60, 70)}, {60: GoAway()}, {1: GoAway()},
     {60: GoAway(), 200: GoAway()}],
    ids=["refused", "refused-ten", "goaway", "goaway-at-once", "goaway-twice"],
)  # fmt: skip
def test_what_was_surely_not_processed_is_sent_again_and_nothing_else(
    server: Server, ledger: Ledger, faults: dict[int, Fault], is_own: bool
) -> None:
    server.faults = faults
    answers = exchange(_lane(server), _requests(server))
    # The library sends one request again only so often, and does not say that the server had refused it.
    given_up = [answer for answer in answers if isinstance(answer, Lost)]
    assert not given_up or (not is_own and len(faults) > 2)
    assert len(_accepted(answers)) + len(given_up) == MANY
    assert sorted(ledger.taken) == sorted(_accepted(answers))  # each exactly once
    assert server.connections <= 2 + len(faults)  # a GOAWAY costs one connection, not one per request


@pytest.mark.parametrize("fault", [Reset(), Cut()], ids=["reset", "cut"])
def test_what_may_have_been_processed_is_lost_as_sent_and_not_repeated(
    server: Server, ledger: Ledger, fault: Fault
) -> None:
    server.faults = {60: fault}
    answers = exchange(_lane(server), _requests(server))
    lost = [answer for answer in answers if isinstance(answer, Lost)]
    assert lost
    assert all(answer.sent for answer in lost)
    assert len(ledger.taken) == len(set(ledger.taken))
    assert set(_accepted(answers)) <= set(ledger.taken)
    assert len(lost) + len(_accepted(answers)) == MANY


def test_an_answer_that_never_comes_is_lost_as_sent(server: Server, ledger: Ledger) -> None:
    server.faults = {2: Stall()}
    answers = exchange(replace(_lane(server), connections=1, timeout=0.5), _requests(server, 5))
    assert [answer.sent for answer in answers if isinstance(answer, Lost)] == [True]
    assert len(_accepted(answers)) == 4
    assert len(ledger.taken) == 5


@override_settings(EGRESS_CA="")
def test_a_server_with_the_wrong_certificate_gets_nothing(ledger: Ledger, authority: Authority) -> None:
    with Server(ledger, authority.server_context()) as server:
        answers = exchange(_lane(server), _requests(server, 20))
    close_connections()
    assert all(isinstance(answer, Lost) and not answer.sent for answer in answers)
    assert ledger.taken == []


def test_a_refused_connection_is_not_tried_for_every_request(is_own: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        origin = f"https://127.0.0.1:{free.getsockname()[1]}"
    answers = exchange(Lane("key", origin, streams=1), [Request(f"{origin}/", {})] * 10)
    assert [answer.reason for answer in answers if isinstance(answer, Lost) and not answer.sent] == [
        *["connect_refused" if is_own else "ConnectError"] * HOPELESS_AFTER,
        *["unreachable"] * (10 - HOPELESS_AFTER),
    ]


def test_a_connection_that_ends_before_tls_is_up_was_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        origin = f"https://127.0.0.1:{listener.getsockname()[1]}"
        threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True).start()
        [answer] = exchange(Lane("key", origin), [Request(f"{origin}/", {})])
    assert isinstance(answer, Lost)
    assert not answer.sent


def test_nothing_more_is_begun_after_a_fatal_status(server: Server, ledger: Ledger) -> None:
    server.faults = {1: Say(403, b'{"reason":"InvalidProviderToken"}')}
    lane = replace(_lane(server), connections=1, fatal=frozenset({403}))
    answers = exchange(lane, _requests(server, 10))
    assert [answer.status for answer in answers if isinstance(answer, Reply)] == [403]
    assert [answer.reason for answer in answers if isinstance(answer, Lost)] == ["not_begun"] * 9
    assert ledger.taken == []


def test_nothing_is_begun_after_the_deadline(server: Server, ledger: Ledger) -> None:
    answers = exchange(_lane(server), _requests(server, 10), deadline=-1)
    assert answers == [Lost(False, "not_begun")] * 10
    assert ledger.taken == []


def test_a_request_that_cannot_be_written_is_not_sent(server: Server, ledger: Ledger) -> None:
    bad = Request(f"{server.origin}/", {"x": "a\nb"})
    assert exchange(_lane(server), [bad]) == [Lost(False, "invalid_request")]
    assert ledger.taken == []


def test_redirects_are_not_followed(server: Server, ledger: Ledger) -> None:
    server.faults = {1: Say(302, b"", {"location": "http://169.254.169.254/"})}
    [answer] = exchange(_lane(server), _requests(server, 1))
    assert isinstance(answer, Reply)
    assert (answer.status, answer.headers["location"]) == (302, "http://169.254.169.254/")


def test_an_endless_body_of_a_foreign_server_is_read_no_further_than_we_keep(server: Server, ledger: Ledger) -> None:
    ledger.body = b"x" * 1_000_000
    with override_settings(EGRESS_ALLOW=frozenset({server.origin})):
        [answer] = exchange(replace(_lane(server), address="127.0.0.1"), _requests(server, 1))
    assert isinstance(answer, Reply)
    assert len(answer.body) == MAX_BODY


def test_no_requests_open_no_connection(server: Server) -> None:
    assert exchange(_lane(server), []) == []
    assert server.connections == 0
