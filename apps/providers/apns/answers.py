"""What Apple's answer means. Pure. Source: "Handling notification responses from APNs"."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from apps.providers.answers import json_object, outcome_of_lost, retry_after
from apps.providers.base import Outcome, Result, Scope
from apps.providers.exchanges import Answer, Lost, Reply

log = logging.getLogger(__name__)

EXPIRED_TOKEN = "ExpiredProviderToken"  # noqa: S105  # a reason, not a secret
#: Apple is done with the connection: our pooling is wrong, or its server ends. The next request wants a fresh one.
ENDS_CONNECTION = frozenset({"UnrelatedKeyIdInToken", "Shutdown"})
#: Seconds to leave a team alone that signed too often.
_AFTER_TOO_MANY_TOKENS = 20 * 60.0

_DEVICE = (Result.REJECTED, Scope.DEVICE)
_MESSAGE = (Result.REJECTED, Scope.MESSAGE)
_CREDENTIAL = (Result.REJECTED, Scope.CREDENTIAL)
_GONE = (Result.UNREGISTERED, Scope.DEVICE)
_LATER = (Result.UNAVAILABLE, Scope.PROVIDER)
_TOKEN = (Result.UNAVAILABLE, Scope.CREDENTIAL)

_WORDS: dict[str, tuple[Result, Scope]] = {
    "BadDeviceToken": _DEVICE,
    "DeviceTokenNotForTopic": _DEVICE,
    "BadTopic": _CREDENTIAL,
    "MissingTopic": _CREDENTIAL,
    "TopicDisallowed": _CREDENTIAL,
    "BadCollapseId": _MESSAGE,
    "BadExpirationDate": _MESSAGE,
    "BadMessageId": _MESSAGE,
    "BadPriority": _MESSAGE,
    "InvalidPushType": _MESSAGE,
    "DuplicateHeaders": _MESSAGE,
    "PayloadEmpty": _MESSAGE,
    "MissingDeviceToken": _MESSAGE,
    "BadPath": _MESSAGE,
    "MethodNotAllowed": _MESSAGE,
    "IdleTimeout": _LATER,
    EXPIRED_TOKEN: _TOKEN,
    "InvalidProviderToken": _CREDENTIAL,
    "MissingProviderToken": _CREDENTIAL,
    "BadCertificate": _CREDENTIAL,
    "BadCertificateEnvironment": _CREDENTIAL,
    "Forbidden": _CREDENTIAL,
    "UnrelatedKeyIdInToken": _TOKEN,
    "BadEnvironmentKeyIdInToken": _CREDENTIAL,
    "BadEnvironmentKeyInToken": _CREDENTIAL,
    "Unregistered": _GONE,
    "ExpiredToken": _GONE,
    "PayloadTooLarge": _MESSAGE,
    "TooManyRequests": (Result.THROTTLED, Scope.DEVICE),
    "TooManyProviderTokenUpdates": (Result.THROTTLED, Scope.CREDENTIAL),
    "InternalServerError": _LATER,
    "ServiceUnavailable": _LATER,
    "Shutdown": _LATER,
}


def outcome_of(push_id: str, answer: Answer, *, written_at: datetime) -> Outcome:
    """written_at: when the request was written, which stands for a timestamp that Apple does not give."""
    if not isinstance(answer, Reply):
        return _outcome_of_goodbye(push_id, answer) or outcome_of_lost(push_id, answer)
    if answer.status == 200:
        return Outcome(push_id, Result.ACCEPTED, provider_message_id=answer.headers.get("apns-id", ""))
    body = json_object(answer.body)
    reason = str(body.get("reason") or answer.status)
    result, scope = _WORDS.get(reason) or _by_status(answer.status, reason)
    wait = retry_after(answer, written_at)
    if reason == "TooManyProviderTokenUpdates":
        wait = max(wait or 0.0, _AFTER_TOO_MANY_TOKENS)
    gone_at = _moment(body.get("timestamp"), written_at) if result is Result.UNREGISTERED else None
    return Outcome(push_id, result, scope, reason, wait, gone_at)


def _outcome_of_goodbye(push_id: str, lost: Lost) -> Outcome | None:
    """Where Apple ended the connection before it looked at the push, with a word against the key."""
    result, scope = _WORDS.get(lost.reason, _LATER)
    return Outcome(push_id, result, scope, lost.reason) if scope is Scope.CREDENTIAL and not lost.sent else None


def _by_status(status: int, reason: str) -> tuple[Result, Scope]:
    log.warning("apns.unlisted_reason status=%s reason=%s", status, reason[:64])
    return _LATER if status >= 500 else _MESSAGE


def _moment(milliseconds: object, otherwise: datetime) -> datetime:
    """The last moment Apple knew the token to be dead."""
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        return otherwise
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return otherwise
