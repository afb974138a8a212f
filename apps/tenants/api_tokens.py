"""The texts that prove a program: API keys, secrets of OAuth clients and their access tokens. Pure.

An API key is `psk_live_` + 8 characters of prefix + `_` + 32 of secret + 6 of checksum, all base62. The prefix finds
the row, the secret (190 bits, so a plain hash may keep it) proves the caller, the checksum lets a typo or a truncated
copy be refused without a look at the database, and gives secret scanners a pattern:
`psk_(live|test)_[0-9A-Za-z]{8}_[0-9A-Za-z]{38}`. A client's secret (`pss_`) and an access token (`pst_`) are 32
characters of secret and the checksum: `ps[st]_[0-9A-Za-z]{38}`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import zlib
from dataclasses import dataclass

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PATTERN = re.compile(r"psk_(?:live|test)_([0-9A-Za-z]{8})_[0-9A-Za-z]{38}")
_ACCESS_TOKEN = re.compile(r"pst_[0-9A-Za-z]{38}")
_CHECKSUM_LENGTH = 6


@dataclass(frozen=True, slots=True)
class NewToken:
    """token: shown once. prefix and hash: what is kept."""

    token: str
    prefix: str
    hash: str


def new_token() -> NewToken:
    prefix = _random(8)
    token = _checked(f"psk_live_{prefix}_{_random(32)}")
    return NewToken(token, prefix, hash_of(token))


def prefix_of(token: str) -> str | None:
    """The prefix of a well-formed token, or None for anything else."""
    match = _PATTERN.fullmatch(token)
    return match[1] if match is not None and _is_checked(token) else None


def new_client_secret() -> str:
    return _checked(f"pss_{_random(32)}")


def new_access_token() -> str:
    return _checked(f"pst_{_random(32)}")


def is_access_token(token: str) -> bool:
    """Whether it is well-formed; says nothing of whether it was ever issued."""
    return _ACCESS_TOKEN.fullmatch(token) is not None and _is_checked(token)


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def matches(token: str, stored_hash: str) -> bool:
    """In constant time. An empty stored hash (no such key) costs the same and never matches."""
    return hmac.compare_digest(hash_of(token), stored_hash or "0" * 64)


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checked(text: str) -> str:
    return text + _checksum(text)


def _is_checked(token: str) -> bool:
    return _checksum(token[:-_CHECKSUM_LENGTH]) == token[-_CHECKSUM_LENGTH:]


def _checksum(text: str) -> str:
    value, digits = zlib.crc32(text.encode()), []
    for _ in range(_CHECKSUM_LENGTH):
        value, digit = divmod(value, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
