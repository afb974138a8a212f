"""The provider `harmony`: Push Kit of HarmonyOS 5 and later, with a service account that signs for itself.

Source: "Scenario-based messages" (REST API v3) and "Generating a token from a service account" of HarmonyOS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import Any, ClassVar

import orjson
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.utils.translation import gettext_lazy as _

from apps.core import clock
from apps.providers.answers import json_object
from apps.providers.base import CredentialField, Needs, Push
from apps.providers.errors import CredentialInvalid
from apps.providers.exchanges import Reply, Request
from apps.providers.jwt import sign_ps256
from apps.providers.proxies import PROXY
from apps.providers.tokens import Token, TokenPolicy, TokenRefused
from apps.providers.vendors.answers import Codes, Said
from apps.providers.vendors.content import Tap, data_of, is_marketing, number_of, tap_of
from apps.providers.vendors.fields import LIMIT_FIELDS, RECEIPTS, Rules, choice_field, limits_in_china
from apps.providers.vendors.huawei import MAX_PAYLOAD, SERVICE_CATEGORIES, STALE, WORDS, read_answer, require_size
from apps.providers.vendors.token import JSON, KEEP_FOR, TokenProvider

#: What the token is for, by Huawei's rules, wherever it is sent.
AUDIENCE = "https://oauth-login.cloud.huawei.com/oauth2/v3/token"
_LIFETIME = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class HuaweiAccount:
    """A service account file. Its URLs are not used."""

    key: rsa.RSAPrivateKey = field(repr=False, compare=False)
    project_id: str
    key_id: str
    sub_account: str


@lru_cache(maxsize=200)
def read_account(text: str) -> HuaweiAccount:
    """Raises ValueError."""
    parts = json_object(text.encode())
    names = [str(parts.get(name) or "") for name in ("project_id", "key_id", "sub_account")]
    if not all(name.isascii() and name.isalnum() and len(name) <= 64 for name in names):
        raise ValueError("names")
    try:
        key = load_pem_private_key(str(parts.get("private_key")).encode(), password=None)
    except TypeError:
        raise ValueError("private_key") from None
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < 2048:
        raise ValueError("private_key")
    return HuaweiAccount(key, *names)


class HarmonyProvider(TokenProvider):
    name: ClassVar = "harmony"
    needs: ClassVar[Needs] = Needs(
        fields=(
            CredentialField(
                "service_account", _("Service account (contents of the JSON file)"), is_long=True,
                help=_("Huawei's API console, credentials, service account key of the app's project."),
            ),
            choice_field(
                "service_category", _("Category of service messages"), SERVICE_CATEGORIES,
                _("One that Huawei has approved for the app. Without it service messages go out as marketing."),
            ),
            RECEIPTS,
            *LIMIT_FIELDS,
            PROXY,
        ),
        reaches="devices",
        platforms=("harmony",),
    )  # fmt: skip
    limits: ClassVar = limits_in_china(per_second=6_000)
    rules: ClassVar = Rules(6_000, title=1_000, body=MAX_PAYLOAD, ttl=(1, 1_296_000), marketing_a_day=2)
    codes: ClassVar = Codes(WORDS)
    stale: ClassVar = STALE
    token_policy: ClassVar = TokenPolicy(renew_after=timedelta(minutes=50), keep_for=KEEP_FOR)

    def check_shape(self) -> None:
        try:
            read_account(self.value("service_account"))
        except ValueError:
            problem = _("Paste the whole JSON file of a service account, as Huawei's API console gives it.")
            raise CredentialInvalid("service_account", problem) from None

    def make_token(self) -> Token:
        now = clock.now()
        try:
            account = read_account(self.value("service_account"))
        except ValueError:
            raise TokenRefused("no_credential", is_final=True) from None
        issued = int(now.timestamp())
        claims = {"iss": account.sub_account, "aud": AUDIENCE, "iat": issued, "exp": issued + 3_600}
        return Token(sign_ps256(claims, account.key, kid=account.key_id, typ="JWT"), now, now + _LIFETIME)

    def check_content(self, push: Push) -> None:
        super().check_content(push)
        require_size(self._body(push))

    def request(self, group: Sequence[Push], token: str) -> Request:
        target = {"token": [push.endpoint.address for push in group if push.endpoint]}
        headers = JSON | {"authorization": f"Bearer {token}", "push-type": "0"}
        url = self.url(f"/v3/{read_account(self.value('service_account')).project_id}/messages:send")
        return Request(url, headers, orjson.dumps(self._body(group[0]) | {"target": target}))

    def read(self, reply: Reply, group: Sequence[Push]) -> Said:
        return read_answer(reply)

    def _body(self, push: Push) -> dict[str, Any]:
        """No image: Huawei wants each inspected beforehand."""
        service = "" if is_marketing(push) else self.value("service_category")
        tap, _intent = tap_of(push.notification.url)
        action = {"actionType": 0} if tap is Tap.APP else {"actionType": 1, "uri": push.notification.url}
        notification = {
            "category": service or "MARKETING", "title": push.notification.title, "body": push.notification.body,
            "clickAction": action | {"data": data_of(push)}, "notifyId": number_of(push), "foregroundShow": True,
        }  # fmt: skip
        options = {"ttl": self.ttl_of(push), "biTag": push.receipt or push.message_id}
        return {"payload": {"notification": notification}, "pushOptions": options}
