"""The provider token: one per team and key, signed every 50 minutes by one process for all.

APNs refuses one older than an hour and punishes signing more often than every 20 minutes, counted per team.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from apps.core import clock
from apps.providers.jwt import sign_es256
from apps.providers.tokens import Token, TokenPolicy

POLICY = TokenPolicy(renew_after=timedelta(minutes=50), keep_for=timedelta(minutes=20))
LIFETIME = timedelta(minutes=60)


@lru_cache(maxsize=200)
def read_private_key(pem: str) -> ec.EllipticCurvePrivateKey:
    """The text of a .p8 file. Raises ValueError."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except TypeError:
        raise ValueError("the key is encrypted") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("not a P-256 key")
    return key


def subject_of(values: Mapping[str, str]) -> str:
    return f"apns:{values['team_id']}:{values['key_id']}"


def sign(values: Mapping[str, str]) -> Token:
    """values: of the credential."""
    now = clock.now().replace(microsecond=0)
    claims = {"iss": values["team_id"], "iat": int(now.timestamp())}
    text = sign_es256(claims, read_private_key(values["private_key"]), kid=values["key_id"])
    return Token(text, now, now + LIFETIME)
