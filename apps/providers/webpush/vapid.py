"""VAPID (RFC 8292): an application's key pair, and the signed header that names it to one push service. Pure."""

from __future__ import annotations

from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from apps.core.encoding import from_base64url, to_base64url
from apps.providers.jwt import sign_es256

#: Seconds. Services refuse a token that lives longer than 24 hours; ours is signed anew after half of that.
LIFETIME = 24 * 3600 - 600
PERIOD = 12 * 3600


def new_private_key() -> str:
    """32 bytes, base64url."""
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return to_base64url(number.to_bytes(32, "big"))


@lru_cache(maxsize=1_000)
def read_private_key(text: str) -> ec.EllipticCurvePrivateKey:
    """Raises ValueError."""
    raw = from_base64url(text)
    if len(raw) != 32:
        raise ValueError("a VAPID key has 32 bytes")
    return ec.derive_private_key(int.from_bytes(raw, "big"), ec.SECP256R1())


def public_key_of(private_key: str) -> str:
    """What a page passes as `applicationServerKey`: the uncompressed point, base64url. Raises ValueError."""
    point = read_private_key(private_key).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return to_base64url(point)


def authorization(private_key: str, *, origin: str, subject: str, now: int) -> str:
    """The Authorization header for one push service. subject: `mailto:` or `https:`, whom the service may write to.

    now: Unix seconds. The same text for PERIOD seconds, so that services can cache its verification and we its making.
    """
    return _signed(private_key, origin, subject, now - now % PERIOD)


@lru_cache(maxsize=2_000)
def _signed(private_key: str, origin: str, subject: str, period: int) -> str:
    claims = {"aud": origin, "exp": period + LIFETIME, "sub": subject}
    token = sign_es256(claims, read_private_key(private_key), typ="JWT")
    return f"vapid t={token}, k={public_key_of(private_key)}"
