"""vivo: a signed request gives a token for a day; a list is a kept message and the devices it goes to."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any

from apps.providers.counterparts.server import Incoming, Outgoing
from apps.providers.counterparts.vendors.common import Shown, VendorService, is_fresh, json_body, say

_MARKETING = {"NEWS", "CONTENT", "MARKETING", "SOCIAL"}


@dataclass(slots=True)
class VivoService(VendorService):
    """apps: app id -> (app key, app secret). idle: devices not seen for 90 days. kept: task id -> message.

    is_night: marketing is not taken now.
    """

    apps: dict[str, tuple[str, str]] = field(default_factory=dict)
    idle: set[str] = field(default_factory=set)
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    is_night: bool = False

    def take(self, incoming: Incoming) -> Outgoing:
        body = json_body(incoming)
        if incoming.path == "/message/auth":
            return self._give_token(body)
        if not self.token_is_good(incoming.headers.get("authtoken", "")):
            return _result(10000, "权限认证失败")
        if body.get("appId") not in self.apps:
            return _result(10094, "appId与authToken不一致")
        if incoming.path == "/message/pushToList":
            return self._send_list(body)
        refusal = self._refuse(body)
        if refusal is not None:
            return refusal
        if incoming.path == "/message/saveListPayload":
            task = secrets.token_hex(8)
            self.kept[task] = body
            return _result(0, "请求成功", taskId=task)
        return self._send(body)

    def _give_token(self, body: dict[str, Any]) -> Outgoing:
        key, secret = self.apps.get(str(body.get("appId")), ("", ""))
        moment = str(body.get("timestamp"))
        sign = hashlib.md5(f"{body.get('appId')}{key}{moment}{secret}".encode(), usedforsecurity=False).hexdigest()
        if not key or body.get("appKey") != key or not is_fresh(moment) or body.get("sign") != sign:
            return _result(10203, "sign错误")
        return _result(0, "请求成功", authToken=self.give_token(86_400))

    def _refuse(self, message: dict[str, Any]) -> Outgoing | None:
        title, body = str(message.get("title", "")), str(message.get("content", ""))
        if not 0 < _columns(title) <= 40 or not 0 < _columns(body) <= 100:
            return _result(10085, "标题或内容不合法")
        if not 60 <= message.get("timeToLive", 86_400) <= 604_800 or len(str(message.get("requestId"))) > 64:
            return _result(10104, "参数不合法")
        is_marketing = message.get("classification") == 0
        if is_marketing is not (message.get("category") in _MARKETING):
            return _result(10104, "消息分类不合法")
        return _result(10071, "超出发送时间允许范围") if is_marketing and self.is_night else None

    def _send(self, body: dict[str, Any]) -> Outgoing:
        device = str(body.get("regId"))
        status = self._status(device)
        if status == 1 and len(device) != 23:
            return _result(10302, "regId不合法")
        if status:
            return _result(10302, "regId不合法", invalidUser={"userid": device, "status": status})
        if body["classification"] == 0 and not self.has_quota(1):
            return _result(10070, "发送总量超出限制")
        self.shown.append(Shown(device, body["title"], body["content"], body))
        return _result(0, "请求成功", taskId=secrets.token_hex(8))

    def _send_list(self, body: dict[str, Any]) -> Outgoing:
        message, devices = self.kept.get(str(body.get("taskId"))), body.get("regIds")
        if message is None or not isinstance(devices, list) or not 2 <= len(devices) <= 1_000:
            return _result(10353, "taskId或regIds不合法")
        good = [device for device in devices if not self._status(device)]
        if message["classification"] == 0 and not self.has_quota(len(good)):
            return _result(10070, "发送总量超出限制")
        self.shown += [Shown(device, message["title"], message["content"], message) for device in good]
        invalid = [{"userid": device, "status": self._status(device)} for device in devices if device not in good]
        return _result(0, "请求成功", requestId=body.get("requestId"), invalidUsers=invalid)

    def _status(self, device: str) -> int:
        if device in self.silent:
            return 2
        if device in self.idle:
            return 3
        return 0 if self.is_known(device) else 1


def _columns(text: str) -> int:
    return sum(1 if ord(character) < 0x80 else 2 for character in text)


def _result(result: int, sentence: str, **more: object) -> Outgoing:
    return say({"result": result, "desc": sentence, **more})
