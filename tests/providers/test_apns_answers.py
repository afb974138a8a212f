"""Every reason that Apple documents, and some that nobody does."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from apps.providers.apns.answers import outcome_of
from apps.providers.base import Outcome, Result, Scope
from apps.providers.exchanges import Answer, Lost, Reply

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def _said(answer: Answer) -> Outcome:
    return outcome_of("p1", answer, written_at=NOW)


def _reply(status: int, reason: str, headers: dict[str, str] | None = None, **more: object) -> Reply:
    return Reply(status, headers or {}, json.dumps({"reason": reason, **more}).encode())


@pytest.mark.parametrize(
    ("status", "reason", "result", "scope"),
    [
        (400, "BadDeviceToken", Result.REJECTED, Scope.DEVICE),
        (400, "DeviceTokenNotForTopic", Result.REJECTED, Scope.DEVICE),
        (400, "BadTopic", Result.REJECTED, Scope.CREDENTIAL),
        (400, "MissingTopic", Result.REJECTED, Scope.CREDENTIAL),
        (400, "TopicDisallowed", Result.REJECTED, Scope.CREDENTIAL),
        (400, "BadCollapseId", Result.REJECTED, Scope.MESSAGE),
        (400, "BadExpirationDate", Result.REJECTED, Scope.MESSAGE),
        (400, "BadMessageId", Result.REJECTED, Scope.MESSAGE),
        (400, "BadPriority", Result.REJECTED, Scope.MESSAGE),
        (400, "InvalidPushType", Result.REJECTED, Scope.MESSAGE),
        (400, "DuplicateHeaders", Result.REJECTED, Scope.MESSAGE),
        (400, "PayloadEmpty", Result.REJECTED, Scope.MESSAGE),
        (400, "MissingDeviceToken", Result.REJECTED, Scope.MESSAGE),
        (404, "BadPath", Result.REJECTED, Scope.MESSAGE),
        (405, "MethodNotAllowed", Result.REJECTED, Scope.MESSAGE),
        (400, "IdleTimeout", Result.UNAVAILABLE, Scope.PROVIDER),
        (403, "ExpiredProviderToken", Result.UNAVAILABLE, Scope.CREDENTIAL),
        (403, "InvalidProviderToken", Result.REJECTED, Scope.CREDENTIAL),
        (403, "MissingProviderToken", Result.REJECTED, Scope.CREDENTIAL),
        (403, "BadCertificate", Result.REJECTED, Scope.CREDENTIAL),
        (403, "BadCertificateEnvironment", Result.REJECTED, Scope.CREDENTIAL),
        (403, "Forbidden", Result.REJECTED, Scope.CREDENTIAL),
        (403, "UnrelatedKeyIdInToken", Result.UNAVAILABLE, Scope.CREDENTIAL),
        (403, "BadEnvironmentKeyIdInToken", Result.REJECTED, Scope.CREDENTIAL),
        (403, "BadEnvironmentKeyInToken", Result.REJECTED, Scope.CREDENTIAL),
        (410, "Unregistered", Result.UNREGISTERED, Scope.DEVICE),
        (410, "ExpiredToken", Result.UNREGISTERED, Scope.DEVICE),
        (413, "PayloadTooLarge", Result.REJECTED, Scope.MESSAGE),
        (429, "TooManyRequests", Result.THROTTLED, Scope.DEVICE),
        (429, "TooManyProviderTokenUpdates", Result.THROTTLED, Scope.CREDENTIAL),
        (500, "InternalServerError", Result.UNAVAILABLE, Scope.PROVIDER),
        (503, "ServiceUnavailable", Result.UNAVAILABLE, Scope.PROVIDER),
        (503, "Shutdown", Result.UNAVAILABLE, Scope.PROVIDER),
        (400, "SomethingNew", Result.REJECTED, Scope.MESSAGE),
        (502, "SomethingNew", Result.UNAVAILABLE, Scope.PROVIDER),
    ],
)
def test_a_reason_becomes_a_word(status: int, reason: str, result: Result, scope: Scope) -> None:
    outcome = _said(_reply(status, reason))
    assert (outcome.push_id, outcome.result, outcome.scope, outcome.reason) == ("p1", result, scope, reason)


def test_success_keeps_the_name_that_apple_gives() -> None:
    outcome = _said(Reply(200, {"apns-id": "eabeae54-14a8-11e5-b60b-1697f925ec7b"}, b""))
    assert (outcome.result, outcome.scope, outcome.reason) == (Result.ACCEPTED, Scope.NONE, "")
    assert outcome.provider_message_id == "eabeae54-14a8-11e5-b60b-1697f925ec7b"


def test_a_dead_token_is_dead_since_apple_knew_it() -> None:
    gone_at = _said(_reply(410, "Unregistered", timestamp=1_454_402_113_000)).gone_at
    assert gone_at == datetime(2016, 2, 2, 8, 35, 13, tzinfo=UTC)


@pytest.mark.parametrize("timestamp", [None, "soon", True, 1e300, float("1e20"), [], {}])
def test_without_a_moment_it_is_dead_since_we_wrote(timestamp: object) -> None:
    assert _said(_reply(410, "Unregistered", timestamp=timestamp)).gone_at == NOW


def test_a_living_token_has_no_moment() -> None:
    assert _said(_reply(400, "BadDeviceToken", timestamp=1)).gone_at is None


def test_a_team_that_signed_too_often_is_left_alone_for_twenty_minutes() -> None:
    assert _said(_reply(429, "TooManyProviderTokenUpdates")).retry_after == 1_200
    assert _said(_reply(429, "TooManyProviderTokenUpdates", {"retry-after": "9000"})).retry_after == 9_000
    assert _said(_reply(429, "TooManyRequests", {"retry-after": "30"})).retry_after == 30


@pytest.mark.parametrize(
    ("answer", "result", "reason"),
    [
        (Reply(500, {}, b"<html>"), Result.UNAVAILABLE, "500"),
        (Reply(418, {}, b"[]"), Result.REJECTED, "418"),
        (Reply(400, {}, b'{"reason":null}'), Result.REJECTED, "400"),
        (Lost(True, "RequestError"), Result.UNKNOWN, "RequestError"),
        (Lost(False, "ConnectError"), Result.UNAVAILABLE, "ConnectError"),
        (Lost(False, "not_begun"), Result.UNAVAILABLE, "not_begun"),
    ],
)
def test_what_says_nothing_is_judged_by_what_it_is(answer: Answer, result: Result, reason: str) -> None:
    outcome = _said(answer)
    assert (outcome.result, outcome.reason) == (result, reason)


def test_a_push_whose_turn_never_came_says_nothing_about_the_network() -> None:
    assert _said(Lost(False, "not_begun")).scope is Scope.CREDENTIAL
    assert _said(Lost(False, "unreachable")).scope is Scope.PROVIDER


@pytest.mark.parametrize(
    ("lost", "result", "scope"),
    [
        (Lost(False, "BadCertificate"), Result.REJECTED, Scope.CREDENTIAL),
        (Lost(False, "ExpiredProviderToken"), Result.UNAVAILABLE, Scope.CREDENTIAL),
        (Lost(False, "Shutdown"), Result.UNAVAILABLE, Scope.PROVIDER),
        (Lost(False, "Unregistered"), Result.UNAVAILABLE, Scope.PROVIDER),
        (Lost(True, "BadCertificate"), Result.UNKNOWN, Scope.PROVIDER),
    ],
)
def test_words_of_a_goodbye_against_the_key_count_against_the_key(lost: Lost, result: Result, scope: Scope) -> None:
    outcome = _said(lost)
    assert (outcome.result, outcome.scope, outcome.reason) == (result, scope, lost.reason)
