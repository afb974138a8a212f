"""Signatures of webhook calls: Pusher's and Standard Webhooks 1.0.0 (symmetric, `v1`). Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

_PREFIX = "whsec_"
_SECRET_BYTES = 32


class Signing(StrEnum):
    """BOTH: Pusher's body under both signatures, for a receiver that changes from one to the other."""

    PUSHER = "pusher"
    STANDARD = "standard"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Keys:
    """application: key and secret of the oldest live credential, None when there is none.

    endpoint: secrets in the order in which they sign, the newest first.
    """

    application: tuple[str, str] | None
    endpoint: Sequence[str]

    def __repr__(self) -> str:
        return "Keys(…)"


def new_secret() -> str:
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def pusher_signature(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def standard_signature(secret: str, call_id: str, timestamp: int, body: bytes) -> str:
    """secret: `whsec_` and base64, as it was given out."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    signed = hmac.new(key, f"{call_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(signed.digest()).decode()


def headers(signing: Signing, keys: Keys, call_id: str, body: bytes, *, now: datetime) -> dict[str, str]:
    """Those that sign `body` and nothing else."""
    made: dict[str, str] = {}
    if signing in {Signing.PUSHER, Signing.BOTH} and keys.application is not None:
        key, secret = keys.application
        made |= {"X-Pusher-Key": key, "X-Pusher-Signature": pusher_signature(secret, body)}
    if signing in {Signing.STANDARD, Signing.BOTH}:
        timestamp = int(now.timestamp())
        signatures = [standard_signature(secret, call_id, timestamp, body) for secret in keys.endpoint]
        made |= {
            "webhook-id": call_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(signatures),
        }
    return made
