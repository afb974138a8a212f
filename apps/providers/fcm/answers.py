"""What Google's answer means. Pure. Source: the reference of FCM's ErrorCode.

The status says too little: the entry of type FcmError in `error.details` tells a dead device from a wrong project, and
one of type BadRequest tells our mistake from a damaged token.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from apps.providers.answers import json_object, outcome_of_lost, retry_after
from apps.providers.base import Outcome, Result, Scope
from apps.providers.exchanges import Answer, Reply

#: Seconds, when a quota is spent and Google does not say for how long: quotas are refilled by the minute.
AFTER_QUOTA = 60.0
#: Seconds, at least, after a fault of Google's that names no time.
AFTER_FAULT = 1.0
UNAUTHENTICATED = "UNAUTHENTICATED"
#: Google believes us, and has no key that Apple, or a browser, believes: every other kind of device is reached.
THIRD_PARTY = frozenset({"THIRD_PARTY_AUTH_ERROR", "APNS_AUTH_ERROR"})

_FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
_WORDS: dict[str, tuple[Result, Scope]] = {
    "INVALID_ARGUMENT": (Result.REJECTED, Scope.DEVICE),
    **dict.fromkeys(THIRD_PARTY, (Result.REJECTED, Scope.CREDENTIAL)),
    "SENDER_ID_MISMATCH": (Result.REJECTED, Scope.DEVICE),
    "UNREGISTERED": (Result.UNREGISTERED, Scope.DEVICE),
    "QUOTA_EXCEEDED": (Result.THROTTLED, Scope.CREDENTIAL),
    "UNAVAILABLE": (Result.UNAVAILABLE, Scope.PROVIDER),
    "INTERNAL": (Result.UNAVAILABLE, Scope.PROVIDER),
}
_AT_LEAST = {Result.THROTTLED: AFTER_QUOTA, Result.UNAVAILABLE: AFTER_FAULT}


def outcome_of(push_id: str, answer: Answer, *, now: datetime) -> Outcome:
    """now: when the request was written."""
    if not isinstance(answer, Reply):
        return outcome_of_lost(push_id, answer)
    body = json_object(answer.body)
    if answer.status == 200:
        return Outcome(push_id, Result.ACCEPTED, provider_message_id=str(body.get("name") or ""))
    error = body.get("error")
    outcome = _refusal(push_id, answer.status, error if isinstance(error, dict) else {})
    wait = retry_after(answer, now)
    if wait is None:
        wait = _AT_LEAST.get(outcome.result)
    gone_at = now if outcome.result is Result.UNREGISTERED else None
    return replace(outcome, retry_after=wait, gone_at=gone_at)


def _refusal(push_id: str, status: int, error: dict[str, Any]) -> Outcome:
    details = _details(error)
    code = str(details.get(_FCM_ERROR, {}).get("errorCode") or "")
    reason = code or str(error.get("status") or status)
    if _BAD_REQUEST in details:
        return Outcome(push_id, Result.REJECTED, Scope.MESSAGE, reason)
    result, scope = _WORDS.get(code) or _by_status(status)
    return Outcome(push_id, result, scope, reason)


def _details(error: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """`error.details` by type."""
    entries = error.get("details")
    known = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return {str(entry.get("@type")): entry for entry in known}


def _by_status(status: int) -> tuple[Result, Scope]:
    """Without an FcmError it is the request as a whole that was refused, and no device."""
    if status == 401:
        return Result.UNAVAILABLE, Scope.CREDENTIAL
    if status in {403, 404}:
        return Result.REJECTED, Scope.CREDENTIAL
    if status == 429:
        return Result.THROTTLED, Scope.CREDENTIAL
    if status >= 500:
        return Result.UNAVAILABLE, Scope.PROVIDER
    return Result.REJECTED, Scope.MESSAGE
