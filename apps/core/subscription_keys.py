"""The keys of a Web Push subscription (RFC 8291): read once, refused when no browser could have made them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from apps.core.encoding import from_base64url

CURVE = ec.SECP256R1()
PUBLIC_KEY_SIZE, AUTH_SIZE = 65, 16


class KeysInvalid(ValueError):
    """The keys of a subscription are not a point on P-256 and 16 bytes."""


@dataclass(frozen=True, slots=True)
class Keys:
    """A subscription's: its public point as 65 bytes and as a key, and its 16 secret bytes."""

    public: bytes
    point: ec.EllipticCurvePublicKey
    auth: bytes


def read_keys(public_key: str, auth_secret: str) -> Keys:
    """p256dh and auth as a browser gives them (base64url). Raises KeysInvalid."""
    try:
        public, auth = from_base64url(public_key), from_base64url(auth_secret)
        point = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, public)
    except ValueError:
        raise KeysInvalid("not a point on P-256") from None
    if len(public) != PUBLIC_KEY_SIZE or len(auth) != AUTH_SIZE:
        raise KeysInvalid("wrong length")
    return Keys(public, point, auth)
