"""The provider `meizu`: Flyme Push. Source: the README of MEIZUPUSH/PushAPI and of MEIZUPUSH/node-sdk."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlencode

import orjson
from django.utils.translation import gettext_lazy as _

from apps.providers.answers import json_object
from apps.providers.base import CredentialField, Needs, Push
from apps.providers.exchanges import Reply, Request
from apps.providers.proxies import PROXY
from apps.providers.vendors import answers
from apps.providers.vendors.answers import Codes, Said, Word
from apps.providers.vendors.content import Tap, data_of, digest_of, tap_of
from apps.providers.vendors.fields import LIMIT_FIELDS, RECEIPTS, Rules, check_names, limits_in_china, text_field
from apps.providers.vendors.provider import VendorProvider
from apps.providers.vendors.token import FORM

_HOUR = 3_600
#: What it says of single devices.
_OF_DEVICES: dict[str, Word] = {
    "201": answers.DEVICE,
    "501": answers.LATER,
    "513": answers.LATER,
    "518": answers.TOO_FAST,
    "519": answers.LATER,
    "520": answers.TOO_MANY,
    "110002": answers.DEVICE,  # unsubscribed, or notifications are off: no proof that it is gone
    "110003": answers.DEVICE,
}


class MeizuProvider(VendorProvider):
    """Meizu knows no classes of messages."""

    name: ClassVar = "meizu"
    nobody: ClassVar = "0" * 44
    needs: ClassVar[Needs] = Needs(
        fields=(
            text_field("app_id", _("App id"), _("Flyme's push platform, app information."), is_required=True),
            CredentialField("app_secret", _("App secret"), help=_("Beside the app id.")),
            RECEIPTS,
            *LIMIT_FIELDS,
            PROXY,
        ),
        reaches="devices",
        platforms=("meizu",),
    )  # fmt: skip
    limits: ClassVar = limits_in_china(per_second=200)
    rules: ClassVar = Rules(200, title=32, body=100, ttl=(0, 72 * _HOUR), marketing_a_day=0)
    codes: ClassVar = Codes(
        {
            "200": answers.ACCEPTED,
            "500": answers.LATER,
            "518": answers.TOO_FAST,
            "1001": answers.LATER,
            "1003": answers.LATER,
            "1005": answers.MESSAGE,
            "1006": answers.CREDENTIAL,
            "110000": answers.CREDENTIAL,
            "110001": answers.CREDENTIAL,
            "110004": answers.MESSAGE,
            "110009": answers.CREDENTIAL,
            "110010": answers.TOO_FAST,
            "110053": answers.MESSAGE,
        }
    )

    def check_shape(self) -> None:
        check_names(self.values, "app_id")

    def request(self, group: Sequence[Push], token: str) -> Request:
        form = {
            "appId": self.value("app_id"),
            "pushIds": ",".join(push.endpoint.address for push in group if push.endpoint),
            "messageJson": orjson.dumps(self._message(group[0])).decode(),
        }
        form["sign"] = signature_of(form, self.value("app_secret"))
        return Request(self.url("/garcia/api/server/push/varnished/pushByPushId"), FORM, urlencode(form).encode())

    def read(self, reply: Reply, group: Sequence[Push]) -> Said:
        said = json_object(reply.body)
        value = said.get("value")
        devices: dict[str, tuple[Word, str]] = {}
        for code, addresses in value.items() if isinstance(value, dict) else ():
            if isinstance(addresses, list):
                devices |= {str(one): (_OF_DEVICES.get(code, answers.DEVICE), str(code)) for one in addresses}
        return Said(str(said.get("code") or ""), str(said.get("msgId") or ""), devices)

    def _message(self, push: Push) -> dict[str, Any]:
        shown, hours = push.notification, -(-self.ttl_of(push) // _HOUR)
        tap, target = tap_of(shown.url)
        click = {"clickType": 0} if tap is Tap.APP else {"clickType": 2, "url": target}
        receipt = self.receipt_url(push)
        message = {
            "noticeBarInfo": {"noticeBarType": 0, "title": shown.title, "content": shown.body},
            "clickTypeInfo": click | {"parameters": data_of(push)},
            "pushTimeInfo": {"offLine": 1, "validTime": hours} if hours else {"offLine": 0},
            "advanceInfo": {"notifyKey": digest_of(push).hex()[:8]},
        }
        return message | ({"extra": {"callback": receipt, "callback.param": push.receipt}} if receipt else {})


def signature_of(form: Mapping[str, str], secret: str) -> str:
    """MD5 of `key=value` in the order of the keys, and the secret: what Meizu verifies."""
    text = "".join(f"{name}={form[name]}" for name in sorted(form)) + secret
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
