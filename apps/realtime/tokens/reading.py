"""Whose token is it? Finds the key that may verify it and reads the claims.

Which keys are tried depends on the algorithm, never the other way round: a secret verifies HS256 alone, a public key
RS256 or ES256 by its own type. Everything else, `none` too, is refused before any key is looked at.
"""

from __future__ import annotations

import time
from functools import lru_cache

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey, RSAKey

from apps.realtime.tokens.claims import Claims, Expected, TokenRefused, checked
from apps.realtime.tokens.keysets import Key, KeySets
from apps.tenants.queries import ApplicationRecord

MAX_LENGTH = 8_192
ALGORITHMS = ("HS256", "RS256", "ES256")
#: Of a secret, in bytes: shorter ones can be guessed from one token.
_MIN_SECRET = 14


class TokenReader:
    """Belongs to one event loop."""

    def __init__(self, key_sets: KeySets | None = None) -> None:
        self._key_sets = key_sets or KeySets()

    async def read(self, record: ApplicationRecord, token: object) -> Claims:
        """Waits only for keys that must be fetched. Raises TokenRefused."""
        if not record.settings.tokens:
            raise TokenRefused("Tokens are switched off for this application")
        if not isinstance(token, str) or not 0 < len(token) <= MAX_LENGTH or not token.isascii():
            raise TokenRefused(f"A token is a string of at most {MAX_LENGTH} characters")
        algorithm, key_id = _header(token)
        from_set = bool(record.settings.token_jwks_url) and algorithm != "HS256"
        for key in await self._keys(record, algorithm, key_id):
            try:
                claims = jwt.decode(token, key, algorithms=[algorithm]).claims
            except (JoseError, ValueError, TypeError, RecursionError):
                continue
            return checked(claims, _expected(record, must_name=from_set), time.time())
        raise TokenRefused("No key of this application verifies the token")

    async def _keys(self, record: ApplicationRecord, algorithm: str, key_id: str | None) -> list[Key] | list[OctKey]:
        if algorithm == "HS256":
            return _secrets(record, key_id)
        kind = RSAKey if algorithm == "RS256" else ECKey
        found: list[Key | None] = [public_key(record.settings.token_public_key)]
        if record.settings.token_jwks_url and key_id is not None:
            found.append(await self._key_sets.key(record.settings.token_jwks_url, key_id))
        return [key for key in found if isinstance(key, kind)]


def _header(token: str) -> tuple[str, str | None]:
    """alg and kid."""
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError, TypeError, AttributeError, RecursionError):
        raise TokenRefused("This is not a JSON Web Token") from None
    algorithm, key_id = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise TokenRefused(f"alg must be one of {', '.join(ALGORITHMS)}")
    if "crit" in header or (key_id is not None and not isinstance(key_id, str)):
        raise TokenRefused("The header of the token asks for something we do not know")
    return algorithm, key_id


def _secrets(record: ApplicationRecord, key_id: str | None) -> list[OctKey]:
    """kid: an application key. Without it every live secret is tried; there are a few at most."""
    wanted = list(record.credentials.values()) if key_id is None else [record.credentials.get(key_id, "")]
    return [OctKey.import_key(secret) for secret in wanted if len(secret) >= _MIN_SECRET]


@lru_cache(maxsize=1_000)
def public_key(pem: str) -> Key | None:
    """None for no key, or one that verifies neither RS256 nor ES256."""
    for kind in (RSAKey, ECKey) if pem else ():
        try:
            key: Key = kind.import_key(pem)
        except (JoseError, ValueError, TypeError):
            continue
        if isinstance(key, RSAKey) or key.curve_name == "P-256":
            return key
    return None


def _expected(record: ApplicationRecord, *, must_name: bool) -> Expected:
    settings = record.settings
    audience = settings.token_audience or record.application_id
    return Expected(settings.token_issuer, frozenset({audience}), must_name or bool(settings.token_audience))
