"""One push as an HTTP request to its push service. Pure but for the randomness of the encryption."""

from __future__ import annotations

import hashlib

import orjson

from apps.core.egress import Place
from apps.core.subscription_keys import read_keys
from apps.providers.base import Credential, Endpoint, Push
from apps.providers.exchanges import Request
from apps.providers.payload import members_of
from apps.providers.webpush.encryption import OVERHEAD, encrypt
from apps.providers.webpush.vapid import authorization

#: Seconds; what to ask for when the sender does not say. Mozilla grants 30 days, the others less.
LONGEST_TTL = 28 * 86_400
#: Bytes of a body that every browser takes: Firefox gets what comes by way of another network (on phones) up to about
#: 2,744, and the service says nothing of what it drops.
SAFE_BODY = 2_700
#: A credential whose application wants as much as the services take, 4,096 bytes.
FULL_SIZE = "full"


def request_for(push: Push, endpoint: Endpoint, place: Place, credential: Credential, *, now: int) -> Request:
    """now: Unix seconds. Raises KeysInvalid, and ValueError when the payload is longer than a push may be."""
    keys = read_keys(endpoint.public_key, endpoint.auth_secret)
    values = credential.values
    plaintext = orjson.dumps(members_of(push))
    if len(plaintext) + OVERHEAD > SAFE_BODY and values.get("size") != FULL_SIZE:
        raise ValueError("too long for every browser")
    return Request(
        place.url,
        {
            "ttl": str(LONGEST_TTL if push.ttl is None else push.ttl),
            "urgency": "high" if push.urgent else "normal",
            "topic": topic_of(push),
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "authorization": authorization(
                values["private_key"], origin=place.origin, subject=values["subject"], now=now
            ),
        },
        encrypt(plaintext, keys),
    )


def topic_of(push: Push) -> str:
    """32 hex digits, which every service takes. The push's own id makes a repeat of it replace the first."""
    if not push.collapse_key:
        return push.id[:32]
    return hashlib.blake2b(push.collapse_key.encode(), digest_size=16).hexdigest()
