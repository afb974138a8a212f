"""The provider `honor`: Honor Push. Source: "Sending downlink messages" of Honor's developer service.

Its table of answer codes could not be confirmed: those of Huawei, whose interface it follows, stand for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

import orjson
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from apps.core import clock
from apps.providers.answers import json_object
from apps.providers.base import CredentialField, Needs, Push
from apps.providers.exchanges import Reply, Request
from apps.providers.proxies import PROXY
from apps.providers.tokens import Token, TokenPolicy
from apps.providers.vendors import answers
from apps.providers.vendors.answers import Codes, Said, Word
from apps.providers.vendors.content import data_of, is_marketing, number_of
from apps.providers.vendors.fields import LIMIT_FIELDS, RECEIPTS, Rules, check_names, limits_in_china, text_field
from apps.providers.vendors.huawei import MAX_PAYLOAD, STALE, WORDS, click_of, require_size
from apps.providers.vendors.token import JSON, KEEP_FOR, TokenProvider, milliseconds, oauth_token


class HonorProvider(TokenProvider):
    name: ClassVar = "honor"
    needs: ClassVar[Needs] = Needs(
        fields=(
            text_field("app_id", _("App id"), _("Honor's developer platform, push service."), is_required=True),
            text_field("client_id", _("Client id"), _("Beside the app id."), is_required=True),
            CredentialField("client_secret", _("Client secret"), help=_("Beside the client id.")),
            CredentialField(
                "service_right", _("Right to send service messages"), is_secret=False, is_required=False,
                choices=(("granted", _("Granted")),),
                help=_("Whether Honor has approved it. Without it service messages go out as marketing."),
            ),
            RECEIPTS,
            *LIMIT_FIELDS,
            PROXY,
        ),
        reaches="devices",
        platforms=("honor",),
    )  # fmt: skip
    limits: ClassVar = limits_in_china(per_second=3_000)
    rules: ClassVar = Rules(3_000, title=1_000, body=MAX_PAYLOAD, ttl=(1, 1_296_000), marketing_a_day=2)
    codes: ClassVar = Codes(WORDS | {"200": answers.ACCEPTED, "503": answers.LATER})
    stale: ClassVar = STALE
    token_policy: ClassVar = TokenPolicy(renew_after=timedelta(minutes=50), keep_for=KEEP_FOR)

    def check_shape(self) -> None:
        check_names(self.values, "app_id", "client_id")

    def make_token(self) -> Token:
        url = settings.VENDOR_URLS["honor_token"]
        return oauth_token(self, url, self.value("client_id"), self.value("client_secret"))

    def check_content(self, push: Push) -> None:
        super().check_content(push)
        require_size(self._message(push))

    def request(self, group: Sequence[Push], token: str) -> Request:
        message = self._message(group[0]) | {"token": [push.endpoint.address for push in group if push.endpoint]}
        headers = JSON | {"authorization": f"Bearer {token}", "timestamp": milliseconds(clock.now())}
        url = self.url(f"/api/v1/{self.value('app_id')}/sendMessage")
        return Request(url, headers, orjson.dumps(message))

    def read(self, reply: Reply, group: Sequence[Push]) -> Said:
        """`expireTokens` are gone for good, which Honor alone of the vendors says in so many words."""
        said = json_object(reply.body)
        data = said.get("data")
        data = data if isinstance(data, dict) else {}
        devices: dict[str, tuple[Word, str]] = dict.fromkeys(
            _texts(data.get("failTokens")), (answers.DEVICE, "failTokens")
        )
        devices |= dict.fromkeys(_texts(data.get("expireTokens")), (answers.GONE, "expireTokens"))
        return Said(str(said.get("code") or ""), str(data.get("requestId") or ""), devices)

    def _message(self, push: Push) -> dict[str, Any]:
        is_service = not is_marketing(push) and bool(self.value("service_right"))
        shown = push.notification
        notification = {
            "title": shown.title, "body": shown.body, "clickAction": click_of(shown.url), "notifyId": number_of(push),
            "importance": "NORMAL" if is_service else "LOW", "image": shown.image_url,
        }  # fmt: skip
        android = {
            "ttl": f"{self.ttl_of(push)}s",
            "biTag": push.receipt or push.message_id,
            "notification": {name: value for name, value in notification.items() if value},
        }
        return {"data": orjson.dumps(data_of(push)).decode(), "android": android}


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
