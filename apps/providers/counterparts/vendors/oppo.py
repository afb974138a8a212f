"""OPPO: a signed request gives a token for a day; a list holds a whole message per device."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from apps.providers.counterparts.server import Incoming, Outgoing
from apps.providers.counterparts.vendors.common import Shown, VendorService, form_body, is_fresh, say

_UNICAST = "/server/v1/message/notification/unicast"


@dataclass(slots=True)
class OppoService(VendorService):
    """apps: app key -> master secret. channels: the app's, with "" for none given. seen: (device, app message id)."""

    apps: dict[str, str] = field(default_factory=dict)
    channels: set[str] = field(default_factory=lambda: {""})
    seen: set[tuple[str, str]] = field(default_factory=set)

    def take(self, incoming: Incoming) -> Outgoing:
        form = form_body(incoming)
        if incoming.path == "/server/v1/auth":
            return self._give_token(form)
        if incoming.path not in {_UNICAST, f"{_UNICAST}_batch"}:
            return _code(20, "Invalid Method")
        if not self.token_is_good(form.get("auth_token", "")):
            return _code(11, "Invalid AuthToken")
        is_list = incoming.path.endswith("_batch")
        try:
            messages = json.loads(form.get("messages" if is_list else "message", ""))
        except ValueError:
            return _code(40, "Missing Required Arguments")
        return self._send(messages if is_list else [messages], is_list)

    def _give_token(self, form: dict[str, str]) -> Outgoing:
        secret = self.apps.get(form.get("app_key", ""))
        if secret is None:
            return _code(14, "Invalid App Key")
        if not is_fresh(form.get("timestamp", "")):
            return _code(19, "Invalid Timestamp")
        text = form["app_key"] + form["timestamp"] + secret
        if hashlib.sha256(text.encode()).hexdigest() != form.get("sign"):
            return _code(16, "Invalid Signature")
        return _code(0, "Success", {"auth_token": self.give_token(86_400), "create_time": int(time.time() * 1000)})

    def _send(self, messages: list[dict[str, Any]], is_list: bool) -> Outgoing:
        refused = [code for message in messages if (code := self._refuse(message.get("notification") or {}))]
        if refused or len(messages) > 1_000:
            return _code(refused[0] if refused else 41, "Invalid Arguments")
        if not self.has_quota(len(messages)):
            return _code(33, "The number of messages exceeds the daily limit")
        answers = [self._deliver(message) for message in messages]
        if is_list:
            return _code(0, "Success", answers)
        if "errorCode" in answers[0]:
            return _code(10000, "Invalid Registration_id")
        return _code(0, "Success", {"messageId": answers[0]["messageId"]})

    def _refuse(self, notification: dict[str, Any]) -> int | None:
        title, body = str(notification.get("title", "")), str(notification.get("content", ""))
        if not 0 < len(title) <= 50 or not 0 < len(body) <= (128 if notification.get("style") == 2 else 50):
            return 41
        if notification.get("notify_level") and not notification.get("category"):
            return 67
        return None if notification.get("channel_id", "") in self.channels else 67

    def _deliver(self, message: dict[str, Any]) -> dict[str, Any]:
        device, notification = str(message.get("target_value")), message["notification"]
        answer = {"messageId": secrets.token_hex(12), "registrationId": device}
        if message.get("target_type") != 2 or not self.is_known(device):
            return answer | {"errorCode": 10000, "errorMessage": "Invalid Registration_id"}
        once = device, str(notification.get("app_message_id"))
        if once not in self.seen:
            self.seen.add(once)
            self.shown.append(Shown(device, notification["title"], notification["content"], message))
        return answer


def _code(code: int, message: str, data: object = None) -> Outgoing:
    return say({"code": code, "message": message} | ({} if data is None else {"data": data}))
