"""The provider `oppo`: OPPO Push, for OPPO, realme and OnePlus. Source: the server interface of OPPO's platform."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode

import orjson
from django.utils.translation import gettext_lazy as _

from apps.core import clock
from apps.providers.answers import json_object
from apps.providers.base import CredentialField, Needs, Push, Result
from apps.providers.exchanges import Reply, Request
from apps.providers.proxies import PROXY
from apps.providers.tokens import Token, TokenPolicy, TokenRefused
from apps.providers.vendors import answers
from apps.providers.vendors.answers import MIDNIGHT, Codes, Said, Word
from apps.providers.vendors.content import Tap, data_of, is_marketing, number_of, tap_of
from apps.providers.vendors.fields import LIMIT_FIELDS, RECEIPTS, Rules, check_names, limits_in_china, text_field
from apps.providers.vendors.token import FORM, KEEP_FOR, TokenProvider, milliseconds

_SHORT_BODY = 50
_TAPS = {Tap.APP: 0, Tap.WEB: 2, Tap.PAGE: 5}
_OF_THE_CREDENTIAL = ("12", "14", "15", "16", "17", "18", "19", "26", "27", "28", "30", "59", "67")
_OF_THE_MESSAGE = ("20", "21", "22", "23", "24", "25", "31", "32", "34", "40", "41", "51")


class OppoProvider(TokenProvider):
    name: ClassVar = "oppo"
    needs: ClassVar[Needs] = Needs(
        fields=(
            CredentialField("app_key", _("App key"), is_secret=False, help=_("OPPO's push platform, configuration.")),
            CredentialField("master_secret", _("Master secret"), help=_("Beside the app key; not the app secret.")),
            text_field("channel_id", _("Channel of marketing messages"), _("The app's notification channel.")),
            text_field(
                "category", _("Category of marketing messages"), _("As OPPO names its classes: MARKETING.")
            ),
            text_field(
                "service_channel_id", _("Channel of service messages"),
                _("An approved private-message channel. Without it service messages go out as marketing."),
            ),
            text_field(
                "service_category", _("Category of service messages"),
                _("As OPPO names its classes: ORDER, ACCOUNT and so on."),
            ),
            RECEIPTS,
            *LIMIT_FIELDS,
            PROXY,
        ),
        reaches="devices",
        platforms=("oppo",),
    )  # fmt: skip
    limits: ClassVar = limits_in_china(per_second=5_000)
    rules: ClassVar = Rules(5_000, title=50, body=128, ttl=(0, 864_000), marketing_a_day=2)
    codes: ClassVar = Codes(
        {
            "0": answers.ACCEPTED,
            "-2": answers.TOO_FAST,
            "-1": answers.LATER,
            "11": answers.STALE,
            "29": answers.STALE,
            "13": answers.TOO_FAST,
            "55": answers.TOO_FAST,
            "33": answers.TOO_FAST,
            "10000": answers.DEVICE,
            **dict.fromkeys(_OF_THE_CREDENTIAL, answers.CREDENTIAL),
            **dict.fromkeys(_OF_THE_MESSAGE, answers.MESSAGE),
        },
        lifts_at={"33": MIDNIGHT},
    )
    stale: ClassVar = frozenset({"11", "29"})
    token_policy: ClassVar = TokenPolicy(renew_after=timedelta(hours=12), keep_for=KEEP_FOR)

    def check_shape(self) -> None:
        check_names(self.values, "app_key", "channel_id", "category", "service_channel_id", "service_category")

    def make_token(self) -> Token:
        now = clock.now()
        key, moment = self.value("app_key"), milliseconds(now)
        sign = hashlib.sha256(f"{key}{moment}{self.value('master_secret')}".encode()).hexdigest()
        form = {"app_key": key, "timestamp": moment, "sign": sign}
        answer = self.ask(Request(self.url("/server/v1/auth"), FORM, urlencode(form).encode()))
        said = json_object(answer.body)
        data = said.get("data")
        if said.get("code") == 0 and isinstance(data, dict) and isinstance(data.get("auth_token"), str):
            return Token(data["auth_token"], now, now + timedelta(hours=24))
        code = _code(said)
        is_final = self.codes.word(code, answer.status)[0] is Result.REJECTED
        raise TokenRefused(code or str(answer.status), is_final=is_final)

    def groups(self, pushes: Sequence[Push]) -> list[list[Push]]:
        """A list holds a whole message per device, so what is in one need not be equal."""
        return [list(pushes[at : at + self.rules.batch]) for at in range(0, len(pushes), self.rules.batch)]

    def request(self, group: Sequence[Push], token: str) -> Request:
        messages = [
            {"target_type": 2, "target_value": push.endpoint.address, "notification": self._notification(push)}
            for push in group
            if push.endpoint
        ]
        is_list = len(messages) > 1
        form = {
            "auth_token": token,
            "messages" if is_list else "message": orjson.dumps(messages if is_list else messages[0]).decode(),
        }
        path = f"/server/v1/message/notification/unicast{'_batch' if is_list else ''}"
        return Request(self.url(path), FORM, urlencode(form).encode())

    def read(self, reply: Reply, group: Sequence[Push]) -> Said:
        said = json_object(reply.body)
        data = said.get("data")
        entries = data if isinstance(data, list) else [data]
        devices: dict[str, tuple[Word, str]] = {}
        ids: dict[str, str] = {}
        for entry in entries:
            if isinstance(entry, dict):
                address, code = str(entry.get("registrationId") or ""), str(entry.get("errorCode") or "0")
                ids[address] = str(entry.get("messageId") or "")
                if code != "0":
                    devices[address] = (self.codes.word(code, reply.status), code)
        return Said(_code(said), ids.get("", ""), devices, ids)

    def _notification(self, push: Push) -> dict[str, Any]:
        shown, ttl = push.notification, self.ttl_of(push)
        kind = "service_" if not is_marketing(push) and self.value("service_channel_id") else ""
        tap, target = tap_of(shown.url)
        members = {
            "app_message_id": push.id,  # OPPO sends a device no second message with one id
            "notify_id": number_of(push),
            "style": 1 if len(shown.body) <= _SHORT_BODY else 2,
            "title": shown.title,
            "content": shown.body,
            "click_action_type": _TAPS[tap],
            "click_action_url": target,
            "action_parameters": orjson.dumps(data_of(push)).decode() if tap is Tap.APP else "",
            "off_line": ttl > 0,
            "off_line_ttl": ttl,
            "channel_id": self.value(f"{kind}channel_id"),
            "category": self.value(f"{kind}category"),
            "call_back_url": self.receipt_url(push),
            "call_back_parameter": push.receipt if self.receipt_url(push) else "",
        }
        return {name: value for name, value in members.items() if value not in ("", None)}


def _code(said: dict[str, Any]) -> str:
    return str(said["code"]) if "code" in said else ""
