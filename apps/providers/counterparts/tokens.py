"""How a network verifies a signed token: with another library than the one that signs."""

from __future__ import annotations

import json
from typing import Any

from jwcrypto.common import JWException, base64url_decode
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS


def header_of(token: str) -> dict[str, Any]:
    """Unverified. Empty for what is no token."""
    try:
        parsed = json.loads(base64url_decode(token.partition(".")[0]))
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def claims_of(token: str, key: JWK) -> dict[str, Any] | None:
    """None when the token does not verify."""
    signed = JWS()
    try:
        signed.deserialize(token, key)
        claims = json.loads(signed.payload)
    except (JWException, ValueError):
        return None
    return claims if isinstance(claims, dict) else None
