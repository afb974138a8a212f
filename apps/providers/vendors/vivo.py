"""The provider `vivo`: vivo Push, for vivo and iQOO. Source: the server interface (UPS) of vivo's platform."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import time, timedelta
from typing import Any, ClassVar

import orjson
from django.utils.translation import gettext_lazy as _

from apps.core import clock
from apps.providers.answers import json_object
from apps.providers.base import CredentialField, Needs, Push, Result
from apps.providers.exchanges import Answer, Reply, Request
from apps.providers.http import exchange
from apps.providers.proxies import PROXY
from apps.providers.tokens import Token, TokenPolicy, TokenRefused
from apps.providers.vendors import answers
from apps.providers.vendors.answers import MIDNIGHT, Codes, Said, Word
from apps.providers.vendors.content import Tap, columns_of, is_marketing, number_of, tap_of, texts_of
from apps.providers.vendors.fields import (
    LIMIT_FIELDS,
    RECEIPTS,
    Rules,
    check_names,
    choice_field,
    limits_in_china,
    text_field,
)
from apps.providers.vendors.token import JSON, KEEP_FOR, TokenProvider, milliseconds

_MAX_DATA = 1_024
_TAPS = {Tap.APP: 1, Tap.WEB: 2, Tap.PAGE: 4}
_INVALID: dict[str, Word] = {
    "1": answers.GONE,  # no such id
    "2": answers.DEVICE,  # uninstalled, or notifications are off
    "3": answers.DEVICE,  # not seen for 90 days
    "4": answers.MESSAGE,  # a test message to somebody who is no test user
}


class VivoProvider(TokenProvider):
    name: ClassVar = "vivo"
    nobody: ClassVar = "0" * 23
    needs: ClassVar[Needs] = Needs(
        fields=(
            text_field("app_id", _("App id"), _("vivo's developer platform, push, app information."), is_required=True),
            text_field("app_key", _("App key"), _("Beside the app id."), is_required=True),
            CredentialField("app_secret", _("App secret"), help=_("Beside the app id.")),
            choice_field(
                "category", _("Category of marketing messages"), ("NEWS", "CONTENT", "MARKETING", "SOCIAL"),
                _("Without it: MARKETING."),
            ),
            choice_field(
                "service_category", _("Category of service messages"),
                ("IM", "ACCOUNT", "TODO", "DEVICE_REMINDER", "ORDER", "SUBSCRIPTION"),
                _("One that vivo has approved for the app. Without it service messages go out as marketing."),
            ),
            RECEIPTS,
            *LIMIT_FIELDS,
            PROXY,
        ),
        reaches="devices",
        platforms=("vivo",),
    )  # fmt: skip
    limits: ClassVar = limits_in_china(per_second=3_000)
    rules: ClassVar = Rules(3_000, title=40, body=100, ttl=(60, 604_800), marketing_a_day=2, measure=columns_of)
    codes: ClassVar = Codes(
        {
            "0": answers.ACCEPTED,
            "10000": answers.STALE,
            "10070": answers.TOO_FAST,
            "10071": answers.TOO_FAST,
            "10072": answers.TOO_FAST,
            "10073": answers.TOO_FAST,
            "10085": answers.MESSAGE,
            "10094": answers.CREDENTIAL,
            "10104": answers.MESSAGE,
            "10252": answers.TOO_FAST,
            "10254": answers.TOO_FAST,
            "10302": answers.DEVICE,
        },
        lifts_at={"10070": MIDNIGHT, "10073": MIDNIGHT, "10252": MIDNIGHT, "10254": MIDNIGHT, "10071": time(7)},
    )
    stale: ClassVar = frozenset({"10000", "401"})
    #: vivo asks for a renewal every hour or two, long before the day is over.
    token_policy: ClassVar = TokenPolicy(renew_after=timedelta(minutes=90), keep_for=KEEP_FOR)

    def check_shape(self) -> None:
        check_names(self.values, "app_id", "app_key")

    def make_token(self) -> Token:
        now = clock.now()
        id, key, moment = self.value("app_id"), self.value("app_key"), milliseconds(now)
        signed = f"{id}{key}{moment}{self.value('app_secret')}".encode()
        sign = hashlib.md5(signed, usedforsecurity=False).hexdigest()  # what vivo verifies
        body = {"appId": id, "appKey": key, "timestamp": int(moment), "sign": sign}
        answer = self.ask(Request(self.url("/message/auth"), JSON, orjson.dumps(body)))
        said = json_object(answer.body)
        if said.get("result") == 0 and isinstance(said.get("authToken"), str):
            return Token(said["authToken"], now, now + timedelta(hours=24))
        code = _code(said)
        known, _scope = self.codes.words.get(code, answers.CREDENTIAL)
        raise TokenRefused(code or str(answer.status), is_final=bool(code) and known is not Result.THROTTLED)

    def check_content(self, push: Push) -> None:
        super().check_content(push)
        if sum(len(name) + len(value) for name, value in texts_of(push).items()) > _MAX_DATA:
            raise ValueError("DATA_TOO_LARGE")

    def exchange(self, groups: Sequence[Sequence[Push]], token: str) -> list[Answer]:
        """Lists take two steps: the content is kept under a task id, then that is sent to many."""
        firsts = exchange(self.lane(), [self.request(group, token) for group in groups])
        saved = {at: _task_of(answer) for at, answer in enumerate(firsts) if len(groups[at]) > 1}
        tasks = {at: task for at, task in saved.items() if task}
        sent = exchange(self.lane(), [self._list_request(groups[at], task, token) for at, task in tasks.items()])
        return [dict(zip(tasks, sent, strict=True)).get(at, answer) for at, answer in enumerate(firsts)]

    def request(self, group: Sequence[Push], token: str) -> Request:
        """For one device the whole; for several what they have in common."""
        body = self._message(group[0]) | {"requestId": group[0].id}
        if len(group) > 1:
            return self._post("/message/saveListPayload", body, token)
        address = group[0].endpoint.address if group[0].endpoint else ""
        return self._post("/message/send", body | {"regId": address, "extra": self._receipt(group[0])}, token)

    def read(self, reply: Reply, group: Sequence[Push]) -> Said:
        said = json_object(reply.body)
        invalid = said.get("invalidUsers") or said.get("invalidUser") or []
        devices: dict[str, tuple[Word, str]] = {}
        for user in invalid if isinstance(invalid, list) else [invalid]:
            if isinstance(user, dict):
                status = str(user.get("status"))
                devices[str(user.get("userid"))] = (_INVALID.get(status, answers.DEVICE), f"invalidUser.{status}")
        return Said(_code(said), str(said.get("taskId") or said.get("requestId") or ""), devices)

    def _list_request(self, group: Sequence[Push], task: str, token: str) -> Request:
        addresses = [push.endpoint.address for push in group if push.endpoint]
        body = {"appId": self.value("app_id"), "taskId": task, "regIds": addresses, "requestId": group[0].id}
        return self._post("/message/pushToList", body, token)

    def _post(self, path: str, body: dict[str, Any], token: str) -> Request:
        return Request(self.url(path), JSON | {"authtoken": token}, orjson.dumps(body))

    def _message(self, push: Push) -> dict[str, Any]:
        shown = push.notification
        service = "" if is_marketing(push) else self.value("service_category")
        tap, target = tap_of(shown.url)
        members = {
            "appId": self.value("app_id"), "title": shown.title, "content": shown.body, "notifyType": 4,
            "timeToLive": self.ttl_of(push), "skipType": _TAPS[tap], "skipContent": target, "networkType": -1,
            "classification": 1 if service else 0, "category": service or self.value("category") or "MARKETING",
            "clientCustomMap": texts_of(push), "pushMode": 0, "notifyId": number_of(push),
        }  # fmt: skip
        return {name: value for name, value in members.items() if value != ""}

    def _receipt(self, push: Push) -> dict[str, str]:
        """vivo reports on single messages only."""
        url = self.receipt_url(push)
        return {"callback": url, "callback.param": push.receipt} if url else {}


def _task_of(answer: Answer) -> str:
    said = json_object(answer.body) if isinstance(answer, Reply) else {}
    return str(said.get("taskId") or "") if said.get("result") == 0 else ""


def _code(said: dict[str, Any]) -> str:
    return str(said["result"]) if "result" in said else ""
