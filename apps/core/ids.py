"""Public ids: opaque, prefixed, computed from the row number and never stored.

A public id is `prefix_` + 22 base62 characters: one AES block holding a tag of the prefix (8 bytes) and the row number
(8 bytes). Without the key nobody can count rows, guess a neighbour's id or turn `sub_…` into `dev_…`; with it a lookup
is a primary-key lookup: a million subscribers need no second index. The key (`PUSHSAAS_ID_KEY`) is never rotated, since
ids that customers stored depend on it. See docs/decisions/0002-public-ids.md.
"""

import hashlib
from functools import lru_cache

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from django.conf import settings

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_LENGTH = 22  # 62**22 > 2**128


@lru_cache(maxsize=1)
def _cipher() -> Cipher[ECB]:
    # ECB of a single block is a keyed permutation, which is just what an id needs; no data is hidden under it.
    return Cipher(AES(settings.ID_KEY), ECB())  # noqa: S305


@lru_cache(maxsize=64)
def _tag(prefix: str) -> bytes:
    return hashlib.sha256(prefix.encode()).digest()[:8]


def encode(prefix: str, number: int) -> str:
    """`encode("sub", 1)` -> `"sub_…"`. number: 0 <= number < 2**64."""
    block = _cipher().encryptor().update(_tag(prefix) + number.to_bytes(8, "big"))
    value, characters = int.from_bytes(block, "big"), []
    for _ in range(_LENGTH):
        value, digit = divmod(value, 62)
        characters.append(_ALPHABET[digit])
    return f"{prefix}_{''.join(reversed(characters))}"


def decode(prefix: str, public_id: str) -> int | None:
    """The row number behind a public id, or None when it is not one of ours of this kind."""
    head, separator, tail = public_id.rpartition("_")
    if not separator or head != prefix or len(tail) != _LENGTH:
        return None
    value = 0
    for character in tail:
        digit = _VALUES.get(character)
        if digit is None:
            return None
        value = value * 62 + digit
    if value >= 1 << 128:
        return None
    block = _cipher().decryptor().update(value.to_bytes(16, "big"))
    number = int.from_bytes(block[8:], "big")
    return number if block[:8] == _tag(prefix) and number < 1 << 63 else None
