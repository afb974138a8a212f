"""Meizu: every form is signed with the app's secret; the answer lists by code the ids that got nothing."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from apps.providers.counterparts.server import Incoming, Outgoing
from apps.providers.counterparts.vendors.common import Shown, VendorService, form_body, say

_PATH = "/garcia/api/server/push/varnished/pushByPushId"


@dataclass(slots=True)
class MeizuService(VendorService):
    """apps: app id -> app secret. folded: devices that had too many in the last minute."""

    apps: dict[str, str] = field(default_factory=dict)
    folded: set[str] = field(default_factory=set)

    def take(self, incoming: Incoming) -> Outgoing:
        form = form_body(incoming)
        secret = self.apps.get(form.get("appId", ""))
        if secret is None:
            return _code("110000", "appId不合法")
        if form.pop("sign", "") != _signature(form, secret):
            return _code("1006", "签名认证失败")
        try:
            message = json.loads(form["messageJson"])
            bar, time = message["noticeBarInfo"], message["pushTimeInfo"]
        except (KeyError, ValueError):
            return _code("110004", "参数不能为空")
        if incoming.path != _PATH or not 0 < len(bar["title"]) <= 32 or not 0 < len(bar["content"]) <= 100:
            return _code("1005", "参数错误")
        if time["offLine"] and not 1 <= time["validTime"] <= 72:
            return _code("1005", "参数错误")
        return self._deliver(form["pushIds"].split(","), message)

    def _deliver(self, devices: list[str], message: dict[str, Any]) -> Outgoing:
        refused: dict[str, list[str]] = {}
        for device in devices:
            if code := self._refusal(device):
                refused.setdefault(code, []).append(device)
                continue
            bar = message["noticeBarInfo"]
            self.shown.append(Shown(device, bar["title"], bar["content"], message))
        return say({"code": "200", "message": "", "value": refused, "redirect": "", "msgId": secrets.token_hex(16)})

    def _refusal(self, device: str) -> str:
        if device in self.folded:
            return "520"
        if device in self.gone | self.silent:
            return "110002"
        return "" if self.is_known(device) else "110003"


def _signature(form: dict[str, str], secret: str) -> str:
    parts = sorted(form.items())
    return hashlib.md5(("".join(f"{k}={v}" for k, v in parts) + secret).encode(), usedforsecurity=False).hexdigest()


def _code(code: str, message: str) -> Outgoing:
    return say({"code": code, "message": message, "value": "", "redirect": ""})
