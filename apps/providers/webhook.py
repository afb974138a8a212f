"""The provider `webhook`: the tenant's own server delivers. Signed as Standard Webhooks 1.0.0 says.

One request per push, `webhook-id` being the push's id, so that the receiver can drop a repeat.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

import orjson
from django.utils.translation import gettext_lazy as _

from apps.core import clock
from apps.core.egress import AddressRefused, Place, read_url, resolve
from apps.providers.answers import outcome_of_lost, retry_after
from apps.providers.base import CredentialField, Needs, Outcome, Push, Result, Scope, Sender
from apps.providers.errors import CredentialInvalid
from apps.providers.exchanges import Answer, Lane, Reply, Request
from apps.providers.http import exchange
from apps.providers.payload import members_of

EVENT = "push.send"
_PREFIX = "whsec_"
_STREAMS, _TIMEOUT = 32, 15.0


class WebhookProvider:
    needs: ClassVar[Needs] = Needs(
        fields=(
            CredentialField(
                "url",
                _("Address that receives the pushes (https)"),
                is_secret=False,
                help=_("Gets one POST per push and answers with a status of 200 to 299."),
            ),
            CredentialField(
                "secret",
                _("Signing secret (whsec_…)"),
                help=_("whsec_ and 24 to 64 random bytes in base64; your server verifies the signature with it."),
            ),
        )
    )

    def __init__(self, sender: Sender) -> None:
        self.sender = sender

    def check(self) -> None:
        """By its shape: a request would be a push to somebody."""
        values = self.sender.credentials[0].values
        try:
            read_url(values["url"])
        except AddressRefused as refused:
            raise CredentialInvalid("url", refused.message) from None
        try:
            key_of(values["secret"])
        except ValueError:
            raise CredentialInvalid("secret", _("Give whsec_ and 24 to 64 bytes in base64.")) from None

    def send(self, pushes: Sequence[Push]) -> list[Outcome]:
        if not self.sender.credentials:
            return [Outcome(push.id, Result.REJECTED, Scope.CREDENTIAL, "no_credential") for push in pushes]
        credential, now = self.sender.credentials[0], clock.now()
        try:
            place = read_url(credential.values["url"])
            address = resolve(place)
        except AddressRefused as refused:
            reason = f"address_refused:{refused.reason}"
            return [Outcome(push.id, Result.REJECTED, Scope.CREDENTIAL, reason) for push in pushes]
        lane = Lane(
            f"webhook:{credential.id}", place.origin, address, streams=_STREAMS, timeout=_TIMEOUT,
            unproven=frozenset(),
        )  # fmt: skip
        key = key_of(credential.values["secret"])
        answers = exchange(lane, [request_for(push, place, key, int(now.timestamp())) for push in pushes])
        return [outcome_of(push.id, answer, now) for push, answer in zip(pushes, answers, strict=True)]


def key_of(secret: str) -> bytes:
    """Raises ValueError."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
    if not secret.startswith(_PREFIX) or not 24 <= len(key) <= 64:
        raise ValueError("not a signing secret")
    return key


def request_for(push: Push, place: Place, key: bytes, now: int) -> Request:
    """now: Unix seconds."""
    body = orjson.dumps(
        {"type": EVENT, "timestamp": push.sent_at, "data": {"recipient": push.recipient, **members_of(push)}}
    )
    signature = hmac.digest(key, f"{push.id}.{now}.".encode() + body, hashlib.sha256)
    headers = {
        "content-type": "application/json",
        "webhook-id": push.id,
        "webhook-timestamp": str(now),
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }
    return Request(place.url, headers, body)


def outcome_of(push_id: str, answer: Answer, now: datetime) -> Outcome:
    """410 means "stop" (so says the standard) and, like a refused signature or a redirect, pauses the credential."""
    if not isinstance(answer, Reply):
        return outcome_of_lost(push_id, answer)
    status, reason = answer.status, str(answer.status)
    if 200 <= status < 300:
        return Outcome(push_id, Result.ACCEPTED)
    if status == 429:
        return Outcome(push_id, Result.THROTTLED, Scope.CREDENTIAL, reason, retry_after(answer, now))
    if status >= 500 or status == 408:
        return Outcome(push_id, Result.UNAVAILABLE, Scope.PROVIDER, reason, retry_after(answer, now))
    if status in {401, 403, 410} or status < 400:
        return Outcome(push_id, Result.REJECTED, Scope.CREDENTIAL, reason)
    return Outcome(push_id, Result.REJECTED, Scope.DEVICE if status == 404 else Scope.MESSAGE, reason)
