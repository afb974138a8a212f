"""What a push service's answer means. Pure. Sources: RFC 8030, autopush's error list, WNS, UnifiedPush SERV_1.2.0."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urljoin

from apps.core.egress import AddressRefused, Place, read_url
from apps.providers.answers import json_object, outcome_of_lost, retry_after
from apps.providers.base import Outcome, Result, Scope
from apps.providers.exchanges import Answer, Reply

_KNOWN = frozenset({"fcm.googleapis.com", "updates.push.services.mozilla.com", "web.push.apple.com"})
_WINDOWS = ".notify.windows.com"
#: autopush: the endpoint's URL is damaged, so it is the subscription that is bad and not our request.
_DAMAGED_ENDPOINT = 108


def is_known(host: str) -> bool:
    """One of the large services. Elsewhere a limit or a failure says something about that one endpoint only."""
    return host in _KNOWN or host.endswith(_WINDOWS)


def outcome_of(push_id: str, place: Place, answer: Answer, now: datetime) -> Outcome:
    """place: the endpoint that was called."""
    host = place.host
    theirs = Scope.PROVIDER if is_known(host) else Scope.DEVICE
    if not isinstance(answer, Reply):
        return outcome_of_lost(push_id, answer, theirs)
    reason, status = _reason(answer), answer.status
    if 200 <= status < 300:
        name = resource_of(place, answer.headers.get("location", ""))
        return Outcome(push_id, Result.ACCEPTED, provider_message_id=name)
    if status in {404, 410}:
        return Outcome(push_id, Result.UNREGISTERED, Scope.DEVICE, reason, gone_at=now)
    if status in {301, 308}:
        return _moved(push_id, str(status), answer.headers.get("location", ""))
    if 300 <= status < 400:
        return Outcome(push_id, Result.REJECTED, Scope.DEVICE, reason)
    if status in {401, 403}:
        return Outcome(push_id, Result.REJECTED, Scope.CREDENTIAL, reason)
    if status == 429 or (status == 406 and host.endswith(_WINDOWS)):
        scope = Scope.CREDENTIAL if host.endswith(_WINDOWS) else theirs
        return Outcome(push_id, Result.THROTTLED, scope, reason, retry_after(answer, now))
    if status >= 500:
        return Outcome(push_id, Result.UNAVAILABLE, theirs, reason, retry_after(answer, now))
    return Outcome(push_id, Result.REJECTED, _whose_fault(answer), reason)


def resource_of(place: Place, location: str) -> str:
    """Where the push lies that was sent there; empty when the service did not say, or named a foreign place."""
    try:
        named = read_url(urljoin(place.url, location)) if location else place
    except (AddressRefused, ValueError):
        return ""
    return named.url if location and named.origin == place.origin else ""


def _moved(push_id: str, status: str, location: str) -> Outcome:
    """A Mozilla bridge names the endpoint's successor, which is a URL from outside like any other."""
    try:
        successor = read_url(location).url
    except AddressRefused:
        return Outcome(push_id, Result.REJECTED, Scope.DEVICE, status)
    return Outcome(push_id, Result.UNAVAILABLE, Scope.DEVICE, status, new_address=successor)


def _whose_fault(reply: Reply) -> Scope:
    damaged = reply.status == 400 and json_object(reply.body).get("errno") == _DAMAGED_ENDPOINT
    return Scope.DEVICE if damaged else Scope.MESSAGE


def _reason(reply: Reply) -> str:
    """`410` or, where the service says more, `410 errno 106`."""
    errno = json_object(reply.body).get("errno")
    return f"{reply.status} errno {errno}" if isinstance(errno, int) else str(reply.status)
