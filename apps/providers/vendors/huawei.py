"""The provider `huawei`: HMS Push Kit, for Huawei's phones with Android.

Source: "Sending downlink messages" and "Response codes" of HMS Core. harmony.py is for HarmonyOS 5 and later.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

import orjson
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from apps.providers.answers import json_object
from apps.providers.base import CredentialField, Needs, Push
from apps.providers.exchanges import Reply, Request
from apps.providers.proxies import PROXY
from apps.providers.tokens import Token, TokenPolicy
from apps.providers.vendors import answers
from apps.providers.vendors.answers import Codes, Said, Word
from apps.providers.vendors.content import Tap, data_of, digest_of, is_marketing, tap_of
from apps.providers.vendors.fields import (
    LIMIT_FIELDS,
    RECEIPTS,
    Rules,
    check_names,
    choice_field,
    limits_in_china,
    text_field,
)
from apps.providers.vendors.token import JSON, KEEP_FOR, TokenProvider, oauth_token

MAX_PAYLOAD = 4_096
SERVICE_CATEGORIES = (
    "IM", "VOIP", "SUBSCRIPTION", "TRAVEL", "HEALTH", "WORK", "ACCOUNT", "EXPRESS", "FINANCE", "DEVICE_REMINDER",
    "MAIL",
)  # fmt: skip
#: Huawei's and, as far as they are known, Honor's.
WORDS: dict[str, Word] = {
    "80000000": answers.ACCEPTED,
    "80100000": answers.ACCEPTED,  # but for those it names
    "80100001": answers.MESSAGE,
    "80100003": answers.MESSAGE,
    "80100004": answers.MESSAGE,
    "80100013": answers.MESSAGE,
    "80100016": answers.MESSAGE,
    "80100018": answers.MESSAGE,
    "80100022": answers.MESSAGE,
    "80200001": answers.STALE,
    "80200003": answers.STALE,
    "80200005": answers.STALE,
    "80300002": answers.CREDENTIAL,
    "80300007": answers.DEVICE,
    "80300008": answers.MESSAGE,
    "80300010": answers.MESSAGE,
    "80300011": answers.CREDENTIAL,
    "80300013": answers.CREDENTIAL,
    "80300029": answers.TOO_FAST,
    "80300036": answers.STALE,
    "80300037": answers.CREDENTIAL,
    "80600003": answers.LATER,
    "81000001": answers.LATER,
    "partial_unreadable": answers.UNREADABLE,
    "503": answers.TOO_FAST,
}
STALE = frozenset({"80200001", "80200003", "80200005", "401"})
#: Groups of refused tokens that are the app's fault and not the token's.
_OF_THE_APP = frozenset({"noPushTypeRight", "disableSendHuaweiMsgBecauseOfPenalty", "appinfoError"})


class HuaweiProvider(TokenProvider):
    name: ClassVar = "huawei"
    needs: ClassVar[Needs] = Needs(
        fields=(
            text_field("app_id", _("App id"), _("AppGallery Connect, project settings."), is_required=True),
            CredentialField("app_secret", _("App secret"), help=_("Beside the app id.")),
            choice_field(
                "service_category", _("Category of service messages"), SERVICE_CATEGORIES,
                _("One that Huawei has approved for the app. Without it service messages go out as marketing."),
            ),
            text_field("channel_id", _("Notification channel"), _("Of the app, if it has channels of its own.")),
            text_field("receipt_id", _("Receipt id"), _("Of the receipt address set in Huawei's console.")),
            RECEIPTS,
            *LIMIT_FIELDS,
            PROXY,
        ),
        reaches="devices",
        platforms=("huawei",),
    )  # fmt: skip
    limits: ClassVar = limits_in_china(per_second=6_000)
    rules: ClassVar = Rules(6_000, title=1_000, body=MAX_PAYLOAD, ttl=(1, 1_296_000), marketing_a_day=2)
    codes: ClassVar = Codes(WORDS)
    stale: ClassVar = STALE
    token_policy: ClassVar = TokenPolicy(renew_after=timedelta(minutes=50), keep_for=KEEP_FOR)

    def check_shape(self) -> None:
        check_names(self.values, "app_id")

    def make_token(self) -> Token:
        url = settings.VENDOR_URLS["huawei_token"]
        return oauth_token(self, url, self.value("app_id"), self.value("app_secret"))

    def check_content(self, push: Push) -> None:
        super().check_content(push)
        require_size(self._message(push))

    def request(self, group: Sequence[Push], token: str) -> Request:
        message = self._message(group[0]) | {"token": [push.endpoint.address for push in group if push.endpoint]}
        headers = JSON | {"authorization": f"Bearer {token}"}
        url = self.url(f"/v1/{self.value('app_id')}/messages:send")
        return Request(url, headers, orjson.dumps({"validate_only": False, "message": message}))

    def read(self, reply: Reply, group: Sequence[Push]) -> Said:
        return read_answer(reply)

    def _message(self, push: Push) -> dict[str, Any]:
        service = "" if is_marketing(push) else self.value("service_category")
        shown = push.notification
        notification = {
            "title": shown.title, "body": shown.body, "click_action": click_of(shown.url), "tag": digest_of(push).hex(),
            "importance": "NORMAL" if service else "LOW", "image": shown.image_url,
            "channel_id": self.value("channel_id"),
        }  # fmt: skip
        android = {
            "category": service or "MARKETING",
            "ttl": f"{self.ttl_of(push)}s",
            "bi_tag": push.receipt or push.message_id,
            "receipt_id": self.value("receipt_id"),
            "notification": {name: value for name, value in notification.items() if value},
        }
        data = orjson.dumps(data_of(push)).decode()
        return {"data": data, "android": {name: value for name, value in android.items() if value}}


def click_of(url: str) -> dict[str, Any]:
    """A place in the app, a page by https, else the app."""
    tap, target = tap_of(url)
    if tap is Tap.PAGE:
        return {"type": 1, "intent": target}
    return {"type": 2, "url": target} if target.startswith("https://") else {"type": 3}


def require_size(payload: Any) -> None:
    """Raises ValueError."""
    if len(orjson.dumps(payload)) > MAX_PAYLOAD:
        raise ValueError("PAYLOAD_TOO_LARGE")


def read_answer(reply: Reply) -> Said:
    """`msg` is a sentence, or JSON that lists the refused tokens, by reason or not."""
    said = json_object(reply.body)
    code = str(said.get("code") or "")
    refused = dict(_refused(json_object(str(said.get("msg") or "").encode()), code))
    if code == "80100000" and not refused:
        code = "partial_unreadable"  # who was refused is not known, so nothing is
    return Said(code, str(said.get("requestId") or ""), refused)


def _refused(said: dict[str, Any], reason: str) -> list[tuple[str, tuple[Word, str]]]:
    found = []
    for name, value in said.items():
        known = name if name not in {"illegal_tokens", "illegalTokens"} else reason
        if isinstance(value, dict):
            found += _refused(value, known)
        elif isinstance(value, list):
            word = answers.CREDENTIAL if known in _OF_THE_APP else answers.DEVICE
            found += [(token, (word, known)) for token in value if isinstance(token, str)]
    return found
