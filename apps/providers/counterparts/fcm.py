"""Google: the OAuth token endpoint and FCM's `messages:send`, with the error bodies of the real ones."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from jwcrypto.jwk import JWK

from apps.providers.counterparts.server import Incoming, Outgoing
from apps.providers.counterparts.tokens import claims_of

_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_FCM = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
_STATUS = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE",
}  # fmt: skip


@dataclass(slots=True)
class GoogleService:
    """accounts: e-mail -> public key in PEM. gone: registration tokens of uninstalled apps. foreign: of other projects.

    taken: messages in the order they came. tokens: access tokens that are good. tokens_given: how many there ever were.
    """

    project_id: str
    accounts: dict[str, bytes]
    token_url: str = ""
    allows_one_stream_first: bool = False
    gone: set[str] = field(default_factory=set)
    foreign: set[str] = field(default_factory=set)
    malformed: set[str] = field(default_factory=lambda: {"nobody"})
    taken: list[dict[str, Any]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    tokens_given: int = 0

    def take(self, incoming: Incoming) -> Outgoing:
        if incoming.path == "/token":
            return self._give_token(incoming)
        if incoming.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return error_answer(401)
        if incoming.path != f"/v1/projects/{self.project_id}/messages:send":
            return error_answer(403)
        return self._send(json.loads(incoming.body))

    def _give_token(self, incoming: Incoming) -> Outgoing:
        form = {name: values[0] for name, values in parse_qs(incoming.body.decode()).items()}
        for email, pem in self.accounts.items():
            claims = claims_of(form.get("assertion", ""), JWK.from_pem(pem)) or {}
            if claims.get("iss") == email and self._is_good(claims):
                self.tokens_given += 1
                token = f"ya29.{secrets.token_urlsafe(24)}"
                self.tokens.add(token)
                return _json(200, {"access_token": token, "expires_in": 3599, "token_type": "Bearer"})
        return _json(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})

    def _is_good(self, claims: dict[str, Any]) -> bool:
        lives = claims["exp"] - claims["iat"] <= 3600 and claims["iat"] - 60 <= time.time() < claims["exp"]
        return bool(lives and claims["aud"] == self.token_url and claims["scope"] == _SCOPE)

    def _send(self, body: dict[str, Any]) -> Outgoing:
        message = body["message"]
        targets = [message[kind] for kind in ("fid", "token", "topic", "condition") if message.get(kind)]
        data = message.get("data", {})
        if len(targets) != 1 or not all(isinstance(value, str) for value in data.values()):
            return error_answer(400, violations=["message"])
        if any(name in {"from", "gcm"} or name.startswith("google") for name in data):
            return error_answer(400, violations=["message.data"])
        if len(json.dumps([message.get("notification"), data], separators=(",", ":")).encode()) > 4_096:
            return error_answer(400, violations=["message.payload"])
        codes = {404: ("UNREGISTERED", self.gone), 403: ("SENDER_ID_MISMATCH", self.foreign),
                 400: ("INVALID_ARGUMENT", self.malformed)}  # fmt: skip
        for status, (code, addresses) in codes.items():
            if targets[0] in addresses:
                return error_answer(status, code)
        if not body.get("validate_only"):
            self.taken.append(message)
        return _json(200, {"name": f"projects/{self.project_id}/messages/0:{secrets.token_hex(8)}"})


def error_answer(status: int, code: str = "", violations: list[str] | None = None) -> Outgoing:
    """An error as Google words it. code: of the FcmError in it, if there is one. violations: fields of a BadRequest."""
    details: list[dict[str, Any]] = []
    if code:
        details.append({"@type": _FCM, "errorCode": code})
    if violations:
        fields = [{"field": name, "description": "Invalid value"} for name in violations]
        details.append({"@type": _BAD_REQUEST, "fieldViolations": fields})
    said = {"code": status, "message": "refused", "status": _STATUS[status], "details": details}
    return _json(status, {"error": said})


def _json(status: int, body: dict[str, Any]) -> Outgoing:
    return Outgoing(status, {"content-type": "application/json; charset=UTF-8"}, json.dumps(body).encode())
