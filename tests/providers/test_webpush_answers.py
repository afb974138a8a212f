"""Every row of the table of answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from apps.core.egress import read_url
from apps.providers.base import Outcome, Result, Scope
from apps.providers.exchanges import Answer, Lost, Reply
from apps.providers.webpush.answers import outcome_of

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MOZILLA, WINDOWS, HOME = "updates.push.services.mozilla.com", "db5p.notify.windows.com", "push.home.example"


def _said(answer: Answer, host: str = MOZILLA) -> Outcome:
    return outcome_of("p1", read_url(f"https://{host}/wpush/v2/abc"), answer, NOW)


def _reply(status: int, body: bytes = b"", **headers: str) -> Reply:
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_success_is_accepted_and_keeps_its_name(status: int) -> None:
    outcome = _said(_reply(status, location="https://updates.push.services.mozilla.com/m/abc"))
    assert (outcome.result, outcome.scope) == (Result.ACCEPTED, Scope.NONE)
    assert outcome.provider_message_id == "https://updates.push.services.mozilla.com/m/abc"


@pytest.mark.parametrize(
    ("answer", "host", "result", "scope", "reason"),
    [
        (_reply(302), MOZILLA, Result.REJECTED, Scope.DEVICE, "302"),
        (_reply(307), MOZILLA, Result.REJECTED, Scope.DEVICE, "307"),
        (_reply(400), MOZILLA, Result.REJECTED, Scope.MESSAGE, "400"),
        (_reply(400, b'{"code":400,"errno":101}'), MOZILLA, Result.REJECTED, Scope.MESSAGE, "400 errno 101"),
        (_reply(400, b'{"code":400,"errno":110}'), MOZILLA, Result.REJECTED, Scope.MESSAGE, "400 errno 110"),
        (_reply(400, b'{"code":400,"errno":111}'), MOZILLA, Result.REJECTED, Scope.MESSAGE, "400 errno 111"),
        (_reply(400, b'{"code":400,"errno":112}'), MOZILLA, Result.REJECTED, Scope.MESSAGE, "400 errno 112"),
        (_reply(400, b'{"code":400,"errno":113}'), MOZILLA, Result.REJECTED, Scope.MESSAGE, "400 errno 113"),
        (_reply(400, b'{"code":400,"errno":108}'), MOZILLA, Result.REJECTED, Scope.DEVICE, "400 errno 108"),
        (_reply(401, b'{"errno":109}'), MOZILLA, Result.REJECTED, Scope.CREDENTIAL, "401 errno 109"),
        (_reply(403), MOZILLA, Result.REJECTED, Scope.CREDENTIAL, "403"),
        (_reply(404, b'{"errno":102}'), MOZILLA, Result.UNREGISTERED, Scope.DEVICE, "404 errno 102"),
        (_reply(404), HOME, Result.UNREGISTERED, Scope.DEVICE, "404"),
        (_reply(410, b'{"errno":103}'), MOZILLA, Result.UNREGISTERED, Scope.DEVICE, "410 errno 103"),
        (_reply(410, b'{"errno":105}'), MOZILLA, Result.UNREGISTERED, Scope.DEVICE, "410 errno 105"),
        (_reply(410, b'{"errno":106}'), MOZILLA, Result.UNREGISTERED, Scope.DEVICE, "410 errno 106"),
        (_reply(406, x_wns_status="appthrottled"), WINDOWS, Result.THROTTLED, Scope.CREDENTIAL, "406"),
        (_reply(406), MOZILLA, Result.REJECTED, Scope.MESSAGE, "406"),
        (_reply(413), MOZILLA, Result.REJECTED, Scope.MESSAGE, "413"),
        (_reply(429), MOZILLA, Result.THROTTLED, Scope.PROVIDER, "429"),
        (_reply(429), HOME, Result.THROTTLED, Scope.DEVICE, "429"),
        (_reply(429), WINDOWS, Result.THROTTLED, Scope.CREDENTIAL, "429"),
        (_reply(500), MOZILLA, Result.UNAVAILABLE, Scope.PROVIDER, "500"),
        (_reply(429), "fcm.googleapis.com", Result.THROTTLED, Scope.PROVIDER, "429"),
        (_reply(429), "web.push.apple.com", Result.THROTTLED, Scope.PROVIDER, "429"),
        (_reply(502), MOZILLA, Result.UNAVAILABLE, Scope.PROVIDER, "502"),
        (_reply(503, b'{"errno":201}'), MOZILLA, Result.UNAVAILABLE, Scope.PROVIDER, "503 errno 201"),
        (_reply(503, b'{"errno":202}'), MOZILLA, Result.UNAVAILABLE, Scope.PROVIDER, "503 errno 202"),
        (_reply(503), HOME, Result.UNAVAILABLE, Scope.DEVICE, "503"),
        (Lost(False, "ConnectError"), MOZILLA, Result.UNAVAILABLE, Scope.PROVIDER, "ConnectError"),
        (Lost(False, "ConnectError"), HOME, Result.UNAVAILABLE, Scope.DEVICE, "ConnectError"),
        (Lost(True, "ReadError"), MOZILLA, Result.UNKNOWN, Scope.PROVIDER, "ReadError"),
    ],
)
def test_an_answer_becomes_a_word(answer: Answer, host: str, result: Result, scope: Scope, reason: str) -> None:
    outcome = _said(answer, host)
    assert (outcome.push_id, outcome.result, outcome.scope, outcome.reason) == ("p1", result, scope, reason)


def test_a_dead_subscription_is_dead_since_we_asked() -> None:
    assert _said(_reply(410)).gone_at == NOW


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("900", 900.0),
        ("0", 0.0),
        ((NOW + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT"), 90.0),
        ((NOW - timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT"), 0.0),
        ("soon", None),
        ("-5", None),
        ("9" * 400, None),
    ],
)
def test_what_the_network_asks_to_wait_is_kept(text: str, seconds: float | None) -> None:
    assert _said(_reply(429, retry_after=text)).retry_after == seconds


@pytest.mark.parametrize(
    ("location", "name"),
    [
        ("/m/abc", "https://updates.push.services.mozilla.com/m/abc"),
        ("", ""),
        ("https://169.254.169.254/latest", ""),
        ("https://push.example.com/m/abc", ""),
        ("https://[", ""),
    ],
)
def test_a_push_is_named_only_by_an_address_of_the_service_itself(location: str, name: str) -> None:
    outcome = _said(_reply(201, location=location))
    assert (outcome.result, outcome.provider_message_id) == (Result.ACCEPTED, name)


@pytest.mark.parametrize("status", [301, 308])
def test_a_moved_endpoint_is_named_when_it_may_be_called(status: int) -> None:
    outcome = _said(_reply(status, location="https://push.example.com/new"))
    assert (outcome.result, outcome.scope) == (Result.UNAVAILABLE, Scope.DEVICE)
    assert outcome.new_address == "https://push.example.com/new"


@pytest.mark.parametrize("location", ["", "http://push.example.com/", "https://169.254.169.254/latest", "/relative"])
def test_an_endpoint_that_moved_inside_is_refused(location: str) -> None:
    outcome = _said(_reply(301, location=location))
    assert (outcome.result, outcome.scope, outcome.new_address) == (Result.REJECTED, Scope.DEVICE, "")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"errno"', b'{"errno":"many"}', b'{"errno":1e999}', b"\xff"])
def test_a_body_that_says_nothing_leaves_the_status(body: bytes) -> None:
    assert _said(_reply(410, body)).reason == "410"
