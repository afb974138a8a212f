"""The provider `xiaomi`: Mi Push. Source: "Server API addresses and parameters" and "Push limits" of Xiaomi."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar
from urllib.parse import urlencode

import orjson
from django.utils.translation import gettext_lazy as _

from apps.providers.answers import json_object
from apps.providers.base import CredentialField, Needs, Push
from apps.providers.exchanges import Reply, Request
from apps.providers.proxies import PROXY
from apps.providers.vendors import answers
from apps.providers.vendors.answers import MIDNIGHT, Codes, Said
from apps.providers.vendors.content import Tap, data_of, digest_of, is_marketing, number_of, tap_of
from apps.providers.vendors.fields import LIMIT_FIELDS, RECEIPTS, Rules, check_names, text_field
from apps.providers.vendors.provider import VendorProvider
from apps.providers.vendors.token import FORM

_TAPS = {Tap.APP: ("1", ""), Tap.PAGE: ("2", "extra.intent_uri"), Tap.WEB: ("3", "extra.web_uri")}


class XiaomiProvider(VendorProvider):
    name: ClassVar = "xiaomi"
    needs: ClassVar[Needs] = Needs(
        fields=(
            CredentialField("app_secret", _("App secret"), help=_("Xiaomi's developer site, the app's push page.")),
            text_field("package_name", _("Package name"), _("The app's, such as com.example.shop."), is_required=True),
            text_field("channel_id", _("Channel of marketing messages"), _("An approved one, if the app has one.")),
            text_field(
                "service_channel_id", _("Channel of service messages"),
                _("An approved private-message channel. Without it service messages go out as marketing."),
            ),
            RECEIPTS,
            *LIMIT_FIELDS,
            PROXY,
        ),
        reaches="devices",
        platforms=("xiaomi",),
    )  # fmt: skip
    rules: ClassVar = Rules(
        500, title=49, body=127, ttl=(1, 1_209_600), marketing_a_day=5, per_second_is_of_requests=True
    )
    codes: ClassVar = Codes(
        {
            "0": answers.ACCEPTED,
            "10001": answers.LATER,
            "10002": answers.LATER,
            "10003": answers.LATER,
            "10009": answers.LATER,
            "10008": answers.MESSAGE,
            "10016": answers.MESSAGE,
            "10017": answers.MESSAGE,
            "10018": answers.MESSAGE,
            "10013": answers.CREDENTIAL,
            "10014": answers.CREDENTIAL,
            "10026": answers.CREDENTIAL,
            "10031": answers.CREDENTIAL,
            "10022": answers.TOO_FAST,
            "10023": answers.TOO_FAST,
            "10027": answers.TOO_FAST,
            "10034": answers.TOO_FAST,
            "20301": answers.DEVICE,
            "21301": answers.CREDENTIAL,
            "22022": answers.CREDENTIAL,
            "27001": answers.MESSAGE,
            "65009": answers.MESSAGE,
        },
        lifts_at={"10034": MIDNIGHT},
    )

    def check_shape(self) -> None:
        check_names(self.values, "package_name", "channel_id", "service_channel_id")

    def request(self, group: Sequence[Push], token: str) -> Request:
        push = group[0]
        form = {
            "registration_id": ",".join(one.endpoint.address for one in group if one.endpoint),
            "restricted_package_name": self.value("package_name"),
            "title": push.notification.title,
            "description": push.notification.body,
            "payload": orjson.dumps(data_of(push)).decode(),
            "pass_through": "0",
            "notify_type": "-1",
            "notify_id": str(number_of(push)),
            "time_to_live": str(self.ttl_of(push) * 1000),
            "extra.channel_id": self._channel(push),
            # A phone shows the first of those with one key, so a repeat stays unseen.
            "extra.jobkey": digest_of(push).hex()[:12] if not push.collapse_key else "",
            **self._tap(push),
            **self._receipt(push),
        }
        headers = FORM | {"authorization": f"key={self.value('app_secret')}"}
        body = urlencode({name: value for name, value in form.items() if value})
        return Request(self.url("/v3/message/regid"), headers, body.encode())

    def read(self, reply: Reply, group: Sequence[Push]) -> Said:
        said = json_object(reply.body)
        data = said.get("data")
        data = data if isinstance(data, dict) else {}
        bad = [token for token in str(data.get("bad_regids") or "").split(",") if token]
        code = str(said["code"]) if "code" in said else ""
        return Said(code, str(data.get("id") or ""), dict.fromkeys(bad, (answers.DEVICE, "bad_regids")))

    def _channel(self, push: Push) -> str:
        service = "" if is_marketing(push) else self.value("service_channel_id")
        return service or self.value("channel_id")

    def _tap(self, push: Push) -> dict[str, str]:
        tap, target = tap_of(push.notification.url)
        effect, name = _TAPS[tap]
        return {"extra.notify_effect": effect} | ({name: target} if name else {})

    def _receipt(self, push: Push) -> dict[str, str]:
        url = self.receipt_url(push)
        return {"extra.callback": url, "extra.callback.param": push.receipt} if url else {}
