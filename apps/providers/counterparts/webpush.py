"""A push service as RFC 8030 and RFC 8292 describe one: checks what a real one checks, and keeps what it took."""

from __future__ import annotations

import json
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from jwcrypto.jwk import JWK

from apps.core.encoding import from_base64url, to_base64url
from apps.providers.counterparts.browsers import Browsers
from apps.providers.counterparts.server import Incoming, Outgoing
from apps.providers.counterparts.tokens import claims_of

_AUTHORIZATION = re.compile(r"vapid t=([0-9A-Za-z_.-]+), k=([0-9A-Za-z_-]+)")
_TOPIC = re.compile(r"[0-9A-Za-z_-]{1,32}")
_MAX_BODY = 4_096
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Stored:
    """A push that waits for its browser. name: what DELETE is given."""

    subscription: str
    name: str
    topic: str
    ttl: int
    urgency: str
    body: bytes


@dataclass(slots=True)
class PushService:
    """subscriptions: path -> the VAPID key it is bound to. gone: paths of subscriptions that ended. browsers: where
    there are any, they make the keys and read what comes.
    """

    origin: str = ""
    allows_one_stream_first: bool = False
    subscriptions: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    stored: list[Stored] = field(default_factory=list)
    browsers: Browsers | None = None

    def __post_init__(self) -> None:
        if self.browsers is not None:
            self.subscriptions |= {path: one.sender_key for path, one in self.browsers.known.items()}

    def subscribe(self, sender_key: str) -> str:
        """A browser's new endpoint. sender_key: `applicationServerKey`, base64url."""
        path = f"/push/{secrets.token_urlsafe(24)}"
        self.subscriptions[path] = sender_key
        return f"{self.origin}{path}"

    def take(self, incoming: Incoming) -> Outgoing:
        if incoming.path == "/subscribe":  # what a browser does in its own way; the body is the applicationServerKey
            return self._take_browser(incoming.body.decode())
        if incoming.method == "DELETE":
            return self._cancel(incoming.path)
        path, headers = incoming.path, incoming.headers
        if incoming.method == "GET" and path in self.subscriptions:
            return Outgoing(200, {"content-type": "application/json"}, b'{"unifiedpush":{"version":1}}')
        if path in self.gone:
            return _error(410, 106)
        if path not in self.subscriptions:
            return _error(404, 102)
        if not headers.get("ttl", "").isdecimal():
            return _error(400, 111)
        topic = headers.get("topic", "")
        if topic and not _TOPIC.fullmatch(topic):
            return _error(400, 113)
        if len(incoming.body) > _MAX_BODY:
            return _error(413, 104)
        if incoming.body and headers.get("content-encoding") != "aes128gcm":
            return _error(400, 110)
        refusal = self._refuse_sender(headers.get("authorization", ""), self.subscriptions[path])
        return refusal or self._store(path, topic, incoming)

    def _take_browser(self, sender_key: str) -> Outgoing:
        endpoint = self.subscribe(sender_key)
        if self.browsers is None:
            return Outgoing(201, {"location": endpoint})
        made = self.browsers.add(endpoint.removeprefix(self.origin), sender_key)
        told = json.dumps({"endpoint": endpoint, "keys": made.keys}).encode()
        return Outgoing(201, {"location": endpoint, "content-type": "application/json"}, told)

    def _refuse_sender(self, authorization: str, wanted: str) -> Outgoing | None:
        match = _AUTHORIZATION.fullmatch(authorization)
        if match is None:
            return _error(401, 109)
        claims = _verified(match[1], match[2])
        if claims is None:
            return _error(401, 109)
        lives = claims["exp"] - time.time()
        if claims["aud"] != self.origin or not 0 < lives <= _DAY or not str(claims.get("sub", "")).strip():
            return _error(401, 109)
        return None if match[2] == wanted else _error(403, 109)

    def _store(self, path: str, topic: str, incoming: Incoming) -> Outgoing:
        if topic:
            self.stored = [one for one in self.stored if (one.subscription, one.topic) != (path, topic)]
        name = f"/m/{secrets.token_urlsafe(12)}"
        ttl, urgency = int(incoming.headers["ttl"]), incoming.headers.get("urgency", "normal")
        self.stored.append(Stored(path, name, topic, ttl, urgency, incoming.body))
        return Outgoing(201, {"location": f"{self.origin}{name}", "ttl": str(ttl)})

    def _cancel(self, path: str) -> Outgoing:
        left = [one for one in self.stored if one.name != path]
        found = len(left) != len(self.stored)
        self.stored = left
        return Outgoing(204 if found else 404)


def _verified(token: str, public_key: str) -> dict[str, Any] | None:
    point = from_base64url(public_key)
    return claims_of(token, JWK(kty="EC", crv="P-256", x=to_base64url(point[1:33]), y=to_base64url(point[33:])))


def _error(status: int, errno: int) -> Outgoing:
    body = json.dumps({"code": status, "errno": errno, "error": "refused", "message": "see errno"}).encode()
    return Outgoing(status, {"content-type": "application/json"}, body)
