"""Huawei: OAuth by client credentials and messages v1 for Android, tokens of service accounts and messages v3."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from jwcrypto.jwk import JWK

from apps.providers.counterparts.server import Incoming, Outgoing
from apps.providers.counterparts.tokens import claims_of, header_of
from apps.providers.counterparts.vendors.common import Shown, VendorService, form_body, json_body, say

_AUDIENCE = "https://oauth-login.cloud.huawei.com/oauth2/v3/token"
_MAX_DEVICES = 1_000


@dataclass(slots=True)
class HuaweiService(VendorService):
    """apps: app id -> app secret. keys: key id -> (sub account, public key in PEM), of `project`."""

    apps: dict[str, str] = field(default_factory=dict)
    keys: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    project: str = ""
    categories: set[str] = field(default_factory=lambda: {"MARKETING", "EXPRESS", "ACCOUNT"})

    def take(self, incoming: Incoming) -> Outgoing:
        if incoming.path == "/oauth2/v3/token":
            return self._give_token(form_body(incoming))
        token = incoming.headers.get("authorization", "").removeprefix("Bearer ")
        if incoming.path == f"/v3/{self.project}/messages:send":
            return self._refuse_jwt(token) or self._take_v3(incoming)
        app = incoming.path.removeprefix("/v1/").removesuffix("/messages:send")
        if token in self.tokens and not self.token_is_good(token):
            return _code("80200003", "OAuth token expired.")
        if app not in self.apps or not self.token_is_good(token):
            return _code("80200001", "OAuth authentication error.")
        return self._take_v1(json_body(incoming))

    def _give_token(self, form: dict[str, str]) -> Outgoing:
        good = form.get("client_secret") and self.apps.get(form.get("client_id", "")) == form.get("client_secret")
        if form.get("grant_type") != "client_credentials" or not good:
            return say({"sub_error": 20155, "error_description": "client is invalid", "error": 1101}, 400)
        return say({"access_token": self.give_token(3_600), "expires_in": 3_600, "token_type": "Bearer"})

    def _refuse_jwt(self, token: str) -> Outgoing | None:
        account, pem = self.keys.get(str(header_of(token).get("kid")), ("", b""))
        claims = (claims_of(token, JWK.from_pem(pem)) if pem else None) or {}
        if header_of(token).get("alg") != "PS256" or claims.get("iss") != account or claims.get("aud") != _AUDIENCE:
            return _code("80200001", "Authentication Error.")
        if claims["exp"] < time.time():
            return _code("80200005", "Jwt token expired.")
        return (
            _code("80300036", "JWT expire period over threshold.") if claims["exp"] - claims["iat"] > 86_400 else None
        )

    def _take_v1(self, body: dict[str, Any]) -> Outgoing:
        message = body.get("message") or {}
        android = message.get("android") or {}
        notification = android.get("notification") or {}
        if not (notification.get("title") and notification.get("body") and notification.get("click_action")):
            return _code("80100003", "Illegal payload, notification.")
        if not str(android.get("ttl", "86400s")).endswith("s"):
            return _code("80100004", "Illegal expire time.")
        if android.get("category") not in self.categories:
            return _code("80300011", "No permission for this category.")
        if len(json.dumps(message | {"token": []}).encode()) > 5_000:
            return _code("80300008", "Push message size is too long.")
        texts = notification["title"], notification["body"]
        return self._deliver(message.get("token"), texts, message, "illegal_tokens")

    def _take_v3(self, incoming: Incoming) -> Outgoing:
        body = json_body(incoming)
        notification = (body.get("payload") or {}).get("notification") or {}
        if incoming.headers.get("push-type") != "0" or "actionType" not in (notification.get("clickAction") or {}):
            return _code("80100003", "Illegal payload, clickAction.")
        if notification.get("image"):
            return _code("80100022", "Anti-Spam: image not verify.")
        if notification.get("category") not in self.categories:
            return _code("80300002", "No permission to send message to these tmIDs.")
        texts = str(notification.get("title")), str(notification.get("body"))
        return self._deliver((body.get("target") or {}).get("token"), texts, body, "tokenFormatError")

    def _deliver(self, devices: object, texts: tuple[str, str], whole: dict[str, Any], reason: str) -> Outgoing:
        if not isinstance(devices, list) or not 0 < len(devices) <= _MAX_DEVICES:
            return _code("80300010", "token count should within 1 and 1000.")
        good = [device for device in devices if self.is_known(device)]
        self.shown += [Shown(device, *texts, whole) for device in good]
        if not good:
            return _code("80300007", "All the tokens are invalid.")
        if len(good) == len(devices):
            return _code("80000000", "Success")
        bad = [device for device in devices if device not in good]
        return _code("80100000", json.dumps({"success": len(good), "failure": len(bad), reason: bad}))


def _code(code: str, message: str) -> Outgoing:
    return say({"code": code, "msg": message, "requestId": secrets.token_hex(12)})
