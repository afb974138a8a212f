"""Faults that are switched on at the stand-ins of a run: what the adapters make of each, and that they end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings

from apps.providers.base import Credential, Outcome, Result, Scope, Sender
from apps.providers.counterparts.authority import Authority
from apps.providers.counterparts.receiver import SECRET, ReceiverService
from apps.providers.counterparts.server import Incoming, Server
from apps.providers.counterparts.smtp import MailCounterpart
from apps.providers.counterparts.switches import Switches, names_for
from apps.providers.webhook import WebhookProvider
from tests.providers.factories import make_push

ACCEPTED = (Result.ACCEPTED, Scope.NONE)


@pytest.fixture
def receiver() -> ReceiverService:
    return ReceiverService()


@pytest.fixture
def switches(receiver: ReceiverService, trusted: Authority, tmp_path: Path) -> Iterator[Switches]:
    stranger = Authority(tmp_path / "stranger", names=("stranger.invalid",))
    with (
        Server(receiver, trusted.server_context()) as server,
        MailCounterpart() as mail,
        override_settings(EGRESS_ALLOW=frozenset({server.origin})),
    ):
        yield Switches({"webhook": server}, mail, trusted, stranger)


@pytest.fixture
def provider(switches: Switches) -> WebhookProvider:
    values = {"url": f"{switches.servers['webhook'].origin}/push/4711", "secret": SECRET}
    return WebhookProvider(Sender("local", 1, "4711", (Credential("pcr_1", values),)))


def _sent(provider: WebhookProvider, number: int = 1) -> Outcome:
    return provider.send([make_push(number)])[0]


def _word(outcome: Outcome) -> tuple[Result, Scope]:
    return outcome.result, outcome.scope


def test_the_receiver_believes_a_signature_and_nothing_else(
    provider: WebhookProvider, receiver: ReceiverService
) -> None:
    assert _word(_sent(provider)) == ACCEPTED
    assert [(application, data["recipient"]) for application, data in receiver.taken] == [("4711", "person-1")]
    unsigned = Incoming("POST", "/push/4711", {"webhook-id": "1", "webhook-timestamp": "1"}, b"{}")
    assert receiver.take(unsigned).status == 401


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("busy", (Result.THROTTLED, Scope.CREDENTIAL)),
        ("down", (Result.UNAVAILABLE, Scope.PROVIDER)),
        ("reset", (Result.UNKNOWN, Scope.PROVIDER)),
        ("cut", (Result.UNKNOWN, Scope.PROVIDER)),
        ("goaway", ACCEPTED),
        ("gone", (Result.REJECTED, Scope.CREDENTIAL)),
    ],
)
def test_a_fault_spoils_the_next_requests_and_ends(
    provider: WebhookProvider, switches: Switches, fault: str, word: tuple[Result, Scope]
) -> None:
    assert _word(_sent(provider)) == ACCEPTED
    switches.switch("webhook", fault, 1)
    assert [one["left"] for one in switches.standing() if one["network"] == "webhook"] == [1]
    outcome = _sent(provider, 2)
    assert _word(outcome) == word
    assert outcome.retry_after == (5 if fault == "busy" else None)
    assert [one["fault"] for one in switches.standing()] == ["none", "none"]
    assert _word(_sent(provider, 3)) == ACCEPTED


def test_a_wrong_certificate_stays_until_it_is_switched_off(provider: WebhookProvider, switches: Switches) -> None:
    assert _word(_sent(provider)) == ACCEPTED
    switches.switch("webhook", "certificate", 1)
    words = {_word(_sent(provider, number)) for number in range(2, 5)}
    assert words <= {(Result.UNAVAILABLE, Scope.PROVIDER), (Result.UNKNOWN, Scope.PROVIDER)}
    assert _word(_sent(provider, 5)) == (Result.UNAVAILABLE, Scope.PROVIDER)
    switches.switch("webhook", "none", 1)
    assert ACCEPTED in [_word(_sent(provider, number)) for number in range(6, 9)]


def test_mail_has_faults_of_its_own(switches: Switches) -> None:
    switches.switch("email", "gone", 2)
    assert switches.mail.behaviour.replies == {"RCPT": ["550 5.1.1 no such mailbox"] * 2}
    assert switches.standing()[-1]["left"] == 2
    switches.switch("email", "none", 1)
    assert switches.mail.behaviour.replies == {}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b'{"network":"mars","fault":"busy","count":1}',
        b'{"network":"webhook","fault":"fire","count":1}', b'{"network":"webhook","fault":"busy","count":0}',
        b'{"network":"email","fault":"certificate","count":1}', b'{"network":"webhook","fault":"busy","count":99999}',
    ],
)  # fmt: skip
def test_what_there_is_not_switches_nothing(switches: Switches, body: bytes) -> None:
    assert switches.take(Incoming("POST", "/faults", {}, body)).status == 400
    assert switches.servers["webhook"].faults == {}


def test_what_is_on_can_be_asked(switches: Switches) -> None:
    body = json.dumps({"network": "webhook", "fault": "down", "count": 7}).encode()
    told = json.loads(switches.take(Incoming("POST", "/faults", {}, body)).body)
    assert told == json.loads(switches.take(Incoming("GET", "/faults", {}, b"")).body)
    assert told["networks"][0] == {
        "network": "webhook", "choices": list(names_for("webhook")), "fault": "down", "left": 7,
    }  # fmt: skip
