"""Tokens as an application's server or its identity provider would issue them."""

from __future__ import annotations

import json
import time
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from apps.realtime.tokens.keysets import NoKeys
from apps.tenants.queries import ApplicationRecord
from tests.realtime.wire import key_of

EC, RSA = ECKey.generate_key("P-256"), RSAKey.generate_key(2048)


def token(shop: ApplicationRecord, lifetime: float = 60, **claims: Any) -> str:
    """Signed by the application's server."""
    key, secret = key_of(shop)
    return jwt.encode(
        {"alg": "HS256", "kid": key}, {"exp": time.time() + lifetime, **claims}, OctKey.import_key(secret)
    )


def signed(header: dict[str, str], claims: dict[str, Any], key: RSAKey | ECKey | OctKey) -> str:
    return jwt.encode(header, {"exp": time.time() + 60, **claims}, key)


def key_set(*keys: RSAKey | ECKey) -> bytes:
    listed = [{**key.as_dict(private=False), "kid": f"k{at}"} for at, key in enumerate(keys)]
    return json.dumps({"keys": listed}).encode()


class Keys:
    """An identity provider's address. asked: how often it was."""

    def __init__(self, *keys: RSAKey | ECKey) -> None:
        self.keys, self.asked = keys, 0

    async def __call__(self, url: str) -> bytes:
        self.asked += 1
        if not self.keys:
            raise NoKeys("down")
        return key_set(*self.keys)


def pem(key: RSAKey | ECKey) -> str:
    return key.as_pem(private=False).decode()
