"""Apple's push service: one stream until a key is believed, tokens with an age, every reason it documents."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote
from uuid import UUID, uuid4

from jwcrypto.jwk import JWK

from apps.providers.counterparts.server import Incoming, Outgoing
from apps.providers.counterparts.tokens import claims_of, header_of

_SUFFIXES = {
    "alert": "", "background": "", "mdm": "", "voip": ".voip", "pushtotalk": ".voip-ptt",
    "complication": ".complication", "location": ".location-query", "fileprovider": ".pushkit.fileprovider",
    "liveactivity": ".push-type.liveactivity", "widgets": ".push-type.widgets", "controls": ".push-type.controls",
}  # fmt: skip
_MAX_PAYLOAD = 4_096
_OLDEST, _SOONEST = 3_600, 1_200


@dataclass(frozen=True, slots=True)
class Taken:
    id: str
    token: str
    headers: dict[str, str]
    payload: dict[str, Any]


@dataclass(slots=True)
class AppleService:
    """keys: (team, key id) -> public key in PEM. topics: bundle ids of the team. gone: device token -> milliseconds.

    unknown: tokens that no device has. shown: (token, collapse id) -> payload, as the screen of a phone would have it.
    """

    keys: dict[tuple[str, str], bytes]
    topics: set[str]
    allows_one_stream_first: bool = True
    gone: dict[str, int] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=lambda: {"0" * 64})
    taken: list[Taken] = field(default_factory=list)
    shown: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    _signed: dict[str, tuple[str, int]] = field(default_factory=dict)

    def take(self, incoming: Incoming) -> Outgoing:
        id = incoming.headers.get("apns-id") or str(uuid4())
        refusal = self._refuse_sender(incoming) or self._refuse_request(incoming, id) or self._refuse_device(incoming)
        if refusal is not None:
            status, reason, extra = refusal
            return Outgoing(status, {"apns-id": id}, json.dumps({"reason": reason, **extra}).encode())
        token, payload = _token_of(incoming), json.loads(incoming.body)
        self.taken.append(Taken(id, token, incoming.headers, payload))
        self.shown[token, incoming.headers.get("apns-collapse-id") or id] = payload
        return Outgoing(200, {"apns-id": id})

    def _refuse_sender(self, incoming: Incoming) -> tuple[int, str, dict[str, int]] | None:
        token = incoming.headers.get("authorization", "").removeprefix("bearer ")
        if not token:
            return 403, "MissingProviderToken", {}
        key_id = str(header_of(token).get("kid"))
        known = {team: pem for (team, id), pem in self.keys.items() if id == key_id}
        for team, pem in known.items():
            claims = claims_of(token, JWK.from_pem(pem))
            if claims is not None and claims.get("iss") == team:
                return self._refuse_age(team, token, int(claims["iat"]))
        return 403, "InvalidProviderToken", {}

    def _refuse_age(self, team: str, token: str, issued: int) -> tuple[int, str, dict[str, int]] | None:
        if time.time() - issued > _OLDEST:
            return 403, "ExpiredProviderToken", {}
        last, last_issued = self._signed.get(team, ("", 0))
        if last and token != last and issued - last_issued < _SOONEST:
            return 429, "TooManyProviderTokenUpdates", {}
        self._signed[team] = (token, issued)
        return None

    def _refuse_request(self, incoming: Incoming, id: str) -> tuple[int, str, dict[str, int]] | None:
        headers = incoming.headers
        kind = headers.get("apns-push-type", "")
        reasons = {
            "BadPath": not incoming.path.startswith("/3/device/"),
            "MethodNotAllowed": incoming.method != "POST",
            "MissingTopic": not headers.get("apns-topic"),
            "InvalidPushType": kind not in _SUFFIXES,
            "TopicDisallowed": headers.get("apns-topic")
            not in {topic + _SUFFIXES.get(kind, "") for topic in self.topics},
            "BadPriority": headers.get("apns-priority") not in ({"5"} if kind == "background" else {"1", "5", "10"}),
            "BadExpirationDate": not headers.get("apns-expiration", "0").isdecimal(),
            "BadCollapseId": len(headers.get("apns-collapse-id", "").encode()) > 64,
            "BadMessageId": not _is_uuid(id),
            "PayloadEmpty": not incoming.body,
        }
        statuses = {"BadPath": 404, "MethodNotAllowed": 405}
        for reason, holds in reasons.items():
            if holds:
                return statuses.get(reason, 400), reason, {}
        most = 5_120 if kind == "voip" else _MAX_PAYLOAD
        return (413, "PayloadTooLarge", {}) if len(incoming.body) > most else None

    def _refuse_device(self, incoming: Incoming) -> tuple[int, str, dict[str, int]] | None:
        token = _token_of(incoming)
        if token in self.gone:
            return 410, "Unregistered", {"timestamp": self.gone[token]}
        return (400, "BadDeviceToken", {}) if token in self.unknown else None


def _token_of(incoming: Incoming) -> str:
    return unquote(incoming.path.removeprefix("/3/device/"))


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
