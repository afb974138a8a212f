"""The sender to push networks against an HTTP/2 server that is not ours: Node's, which is nghttp2."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from django.test import override_settings

from apps.providers.counterparts.authority import Authority
from apps.providers.exchanges import MAX_BODY, Answer, Lane, Lost, Reply, Request
from apps.providers.http import close_connections, exchange

pytestmark = pytest.mark.e2e
_SCRIPT = Path(__file__).with_name("http2_server.cjs")


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    authority = Authority(tmp_path_factory.mktemp("tls"))
    pem = authority.ca_file.with_name("server.pem")
    node = subprocess.Popen(["node", _SCRIPT, pem], stdout=subprocess.PIPE, text=True)
    assert node.stdout is not None
    with override_settings(EGRESS_CA=str(authority.ca_file)):
        yield f"https://127.0.0.1:{int(node.stdout.readline())}"
        close_connections()
    node.terminate()
    node.communicate()


def _ask(origin: str, what: str, count: int, body: bytes = b"{}") -> list[Answer]:
    requests = [Request(f"{origin}/{what}/{number}", {"authorization": "bearer x"}, body) for number in range(count)]
    return exchange(Lane("key", origin, connections=2, streams=100, timeout=10), requests)


@pytest.mark.parametrize(
    ("what", "size"),
    [("plain", 2), ("plain", 0), ("plain", 100_000), ("early", 2), ("trailers", 2), ("long", 2), ("refuse", 2)],
)
def test_every_request_is_answered_once_and_as_it_was_asked(origin: str, what: str, size: int) -> None:
    answers = _ask(origin, what, 30, b"x" * size)
    for number, answer in enumerate(answers):
        assert isinstance(answer, Reply), answer
        assert (answer.status, answer.headers["x-size"]) == (200, str(size))
        assert orjson.loads(answer.body) == {"path": f"/{what}/{number}"}


def test_another_status_is_read_with_its_fields(origin: str) -> None:
    [answer] = _ask(origin, "gone", 1)
    assert isinstance(answer, Reply)
    assert (answer.status, answer.headers["x-size"], answer.headers["x-long"]) == (410, "2", "y")


def test_answers_are_read_no_further_than_we_keep(origin: str) -> None:
    answers = _ask(origin, "large", 10)
    assert [len(answer.body) for answer in answers if isinstance(answer, Reply)] == [MAX_BODY] * 10


def test_reset_streams_are_unknown(origin: str) -> None:
    assert _ask(origin, "reset", 10) == [Lost(True, "reset")] * 10


def test_a_goodbye_after_each_answer_leaves_nobody_unsure(origin: str) -> None:
    """What is above the last stream goes again, until it was tried often enough."""
    for answer in _ask(origin, "goodbye", 40):
        assert answer == Lost(False, "Shutdown") or isinstance(answer, Reply)
