"""Honor: OAuth by client credentials, and downlink messages that name failed and expired devices."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from apps.providers.counterparts.server import Incoming, Outgoing
from apps.providers.counterparts.vendors.common import Shown, VendorService, form_body, is_fresh, json_body, say


@dataclass(slots=True)
class HonorService(VendorService):
    """clients: client id -> (client secret, app id)."""

    clients: dict[str, tuple[str, str]] = field(default_factory=dict)

    def take(self, incoming: Incoming) -> Outgoing:
        if incoming.path == "/auth/token":
            return self._give_token(form_body(incoming))
        token = incoming.headers.get("authorization", "").removeprefix("Bearer ")
        app = incoming.path.removeprefix("/api/v1/").removesuffix("/sendMessage")
        if app not in {app for _secret, app in self.clients.values()} or not self.token_is_good(token):
            return say({"code": 80200003 if token in self.tokens else 80200001, "message": "auth"})
        if not is_fresh(incoming.headers.get("timestamp", "")):
            return say({"code": 80100001, "message": "timestamp"})
        return self._send(json_body(incoming))

    def _give_token(self, form: dict[str, str]) -> Outgoing:
        secret, _app = self.clients.get(form.get("client_id", ""), ("", ""))
        if form.get("grant_type") != "client_credentials" or not secret or secret != form.get("client_secret"):
            return say({"error": "unauthorized_client", "error_description": "Invalid client secret"}, 401)
        return say({"access_token": self.give_token(3_600), "expires_in": 3_600, "token_type": "Bearer"})

    def _send(self, body: dict[str, Any]) -> Outgoing:
        notification = (body.get("android") or {}).get("notification") or {}
        if not (notification.get("title") and notification.get("body") and notification.get("clickAction")):
            return say({"code": 80100003, "message": "illegal payload"})
        devices = body.get("token")
        if not isinstance(devices, list) or not 0 < len(devices) <= 1_000:
            return say({"code": 80300010, "message": "token count"})
        good = [device for device in devices if self.is_known(device)]
        self.shown += [Shown(device, notification["title"], notification["body"], body) for device in good]
        expired = [device for device in devices if device in self.gone]
        failed = [device for device in devices if device not in good and device not in expired]
        data = {
            "sendResult": bool(good), "requestId": secrets.token_hex(12), "failTokens": failed, "expireTokens": expired,
        }  # fmt: skip
        return say({"code": 200, "message": "success", "data": data})
