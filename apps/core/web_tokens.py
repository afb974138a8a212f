"""JSON Web Tokens that somebody else signed with a shared secret (RFC 7519, HS256 alone). Pure.

The algorithm is ours to say: what the token's own header claims only decides whether it is refused.
"""

from __future__ import annotations

import binascii
import hmac
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import orjson

from apps.core.encoding import from_base64url, to_base64url

MAX_LENGTH = 2_048


class TokenRefused(ValueError):
    """Malformed, signed by nobody we know, or not valid now."""


def read_hs256(
    token: str, *, secret_of: Callable[[str], str | None], now: datetime, longest: timedelta
) -> dict[str, Any]:
    """The claims. secret_of: key id (`kid`) -> secret, None for none. longest: how far ahead `exp` may lie.

    Raises TokenRefused.
    """
    head, payload, signature = _parts(token)
    header, claims = _object(head), _object(payload)
    key_id = header.get("kid")
    if header.get("alg") != "HS256" or "crit" in header or not isinstance(key_id, str):
        raise TokenRefused("header")
    secret = secret_of(key_id)
    if secret is None or not hmac.compare_digest(_decoded(signature), _signature(secret, f"{head}.{payload}")):
        raise TokenRefused("signature")
    expires = claims.get("exp")
    if isinstance(expires, bool) or not isinstance(expires, int | float):
        raise TokenRefused("exp is missing")
    if not now.timestamp() < expires <= (now + longest).timestamp():
        raise TokenRefused("exp has passed, or lies too far ahead")
    return claims


def sign_hs256(claims: dict[str, Any], *, key_id: str, secret: str) -> str:
    """What a tenant's server does."""
    header = {"alg": "HS256", "typ": "JWT", "kid": key_id}
    text = f"{to_base64url(orjson.dumps(header))}.{to_base64url(orjson.dumps(claims))}"
    return f"{text}.{to_base64url(_signature(secret, text))}"


def _parts(token: str) -> list[str]:
    parts = token.split(".")
    if len(parts) != 3 or len(token) > MAX_LENGTH or not token.isascii():
        raise TokenRefused("form")
    return parts


def _signature(secret: str, text: str) -> bytes:
    return hmac.digest(secret.encode(), text.encode(), "sha256")


def _object(part: str) -> dict[str, Any]:
    try:
        value = orjson.loads(_decoded(part))
    except orjson.JSONDecodeError:
        raise TokenRefused("not JSON") from None
    if not isinstance(value, dict):
        raise TokenRefused("not an object")
    return value


def _decoded(part: str) -> bytes:
    try:
        return from_base64url(part)
    except (binascii.Error, ValueError):
        raise TokenRefused("not base64url") from None
