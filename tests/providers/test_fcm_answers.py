"""Every row of FCM's table of errors, in the words Google uses."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from apps.providers.base import Outcome, Result, Scope
from apps.providers.counterparts.fcm import error_answer
from apps.providers.exchanges import Answer, Lost, Reply
from apps.providers.fcm.answers import AFTER_FAULT, AFTER_QUOTA, outcome_of

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def _said(answer: Answer) -> Outcome:
    return outcome_of("p1", answer, now=NOW)


def _error(status: int, code: str = "", violations: list[str] | None = None, **headers: str) -> Reply:
    made = error_answer(status, code, violations)
    return Reply(made.status, {name.replace("_", "-"): value for name, value in headers.items()}, made.body)


@pytest.mark.parametrize(
    ("answer", "result", "scope", "reason"),
    [
        (_error(400, "", ["message.data"]), Result.REJECTED, Scope.MESSAGE, "INVALID_ARGUMENT"),
        (_error(400, "INVALID_ARGUMENT", ["message.token"]), Result.REJECTED, Scope.MESSAGE, "INVALID_ARGUMENT"),
        (_error(400, "", ["message.android.ttl"]), Result.REJECTED, Scope.MESSAGE, "INVALID_ARGUMENT"),
        (_error(400, "INVALID_ARGUMENT"), Result.REJECTED, Scope.DEVICE, "INVALID_ARGUMENT"),
        (_error(401), Result.UNAVAILABLE, Scope.CREDENTIAL, "UNAUTHENTICATED"),
        (_error(401, "THIRD_PARTY_AUTH_ERROR"), Result.REJECTED, Scope.CREDENTIAL, "THIRD_PARTY_AUTH_ERROR"),
        (_error(401, "APNS_AUTH_ERROR"), Result.REJECTED, Scope.CREDENTIAL, "APNS_AUTH_ERROR"),
        (_error(403, "SENDER_ID_MISMATCH"), Result.REJECTED, Scope.DEVICE, "SENDER_ID_MISMATCH"),
        (_error(404, "UNREGISTERED"), Result.UNREGISTERED, Scope.DEVICE, "UNREGISTERED"),
        (_error(403), Result.REJECTED, Scope.CREDENTIAL, "PERMISSION_DENIED"),
        (_error(404), Result.REJECTED, Scope.CREDENTIAL, "NOT_FOUND"),
        (_error(429, "QUOTA_EXCEEDED"), Result.THROTTLED, Scope.CREDENTIAL, "QUOTA_EXCEEDED"),
        (_error(429), Result.THROTTLED, Scope.CREDENTIAL, "RESOURCE_EXHAUSTED"),
        (_error(500), Result.UNAVAILABLE, Scope.PROVIDER, "INTERNAL"),
        (_error(500, "INTERNAL"), Result.UNAVAILABLE, Scope.PROVIDER, "INTERNAL"),
        (_error(503, "UNAVAILABLE"), Result.UNAVAILABLE, Scope.PROVIDER, "UNAVAILABLE"),
        (_error(503), Result.UNAVAILABLE, Scope.PROVIDER, "UNAVAILABLE"),
        (Reply(400, {}, b"<html>"), Result.REJECTED, Scope.MESSAGE, "400"),
        (Reply(502, {}, b""), Result.UNAVAILABLE, Scope.PROVIDER, "502"),
        (Reply(404, {}, b'{"error":{"details":{"@type":"x"}}}'), Result.REJECTED, Scope.CREDENTIAL, "404"),
        (Reply(404, {}, b'{"error":{"details":[1,null]}}'), Result.REJECTED, Scope.CREDENTIAL, "404"),
        (Reply(404, {}, b'{"error":"gone"}'), Result.REJECTED, Scope.CREDENTIAL, "404"),
        (Lost(True, "ReadError"), Result.UNKNOWN, Scope.PROVIDER, "ReadError"),
        (Lost(False, "ConnectError"), Result.UNAVAILABLE, Scope.PROVIDER, "ConnectError"),
    ],
)
def test_an_answer_becomes_a_word(answer: Answer, result: Result, scope: Scope, reason: str) -> None:
    outcome = _said(answer)
    assert (outcome.push_id, outcome.result, outcome.scope, outcome.reason) == ("p1", result, scope, reason)


def test_success_keeps_the_name_that_google_gives() -> None:
    outcome = _said(Reply(200, {}, json.dumps({"name": "projects/p/messages/0:1"}).encode()))
    assert (outcome.result, outcome.provider_message_id) == (Result.ACCEPTED, "projects/p/messages/0:1")


def test_a_spent_quota_waits_as_long_as_google_says_or_a_minute() -> None:
    assert _said(_error(429, "QUOTA_EXCEEDED", retry_after="17")).retry_after == 17
    assert _said(_error(429, "QUOTA_EXCEEDED")).retry_after == AFTER_QUOTA
    assert _said(_error(503, "UNAVAILABLE", retry_after="3")).retry_after == 3


def test_a_fault_of_googles_waits_as_long_as_it_says_or_a_second() -> None:
    assert _said(_error(500, "INTERNAL", retry_after="7")).retry_after == 7
    assert _said(_error(500, "INTERNAL")).retry_after == AFTER_FAULT
    assert _said(_error(503, "UNAVAILABLE")).retry_after == AFTER_FAULT
    assert _said(_error(404, "UNREGISTERED")).retry_after is None


def test_only_a_dead_device_has_a_moment() -> None:
    assert _said(_error(404, "UNREGISTERED")).gone_at == NOW
    assert _said(_error(404)).gone_at is None
