"""The token that travels in a push, so that whoever received it can report without a key of the API. Pure but for keys.

A token is 40 characters of base64url: one AES block that hides the tenant's and the delivery's row number (16 bytes),
and an HMAC-SHA256 of the block under a key of that tenant (14 bytes). It is checked without looking anything up, and no
tenant's token can be made from another's. The keys come from `PUSHSAAS_ID_KEY`, which is never rotated: pushes are
opened late. What may be done with one is report on that delivery, and nothing else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from django.conf import settings

LENGTH = 40
_BLOCK, _SIGNATURE = 16, 14
_LARGEST = 1 << 63


@dataclass(frozen=True, slots=True)
class Sent:
    """What a token was made for, by row numbers."""

    tenant_id: int
    delivery_id: int


def tokens_for(tenant_id: int, delivery_ids: Sequence[int]) -> list[str]:
    """One per delivery, in order; the same every time. Made for a slice at once: encrypting one by one costs more."""
    tenant = tenant_id.to_bytes(8, "big")
    plain = b"".join(tenant + delivery_id.to_bytes(8, "big") for delivery_id in delivery_ids)
    hidden = _cipher().encryptor().update(plain)
    key = _key_of(tenant_id)
    blocks = (hidden[start : start + _BLOCK] for start in range(0, len(hidden), _BLOCK))
    return [base64.urlsafe_b64encode(block + _sign(key, block)).decode() for block in blocks]


def read_token(token: object) -> Sent | None:
    """None when we did not make it, whatever is wrong with it."""
    if not isinstance(token, str) or len(token) != LENGTH:
        return None
    try:
        raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    block, signature = raw[:_BLOCK], raw[_BLOCK:]
    plain = _cipher().decryptor().update(block)
    sent = Sent(int.from_bytes(plain[:8], "big"), int.from_bytes(plain[8:], "big"))
    if not hmac.compare_digest(signature, _sign(_key_of(sent.tenant_id), block)):
        return None
    return sent if sent.tenant_id < _LARGEST and sent.delivery_id < _LARGEST else None


def sign_for(tenant_id: int, text: str) -> str:
    """A signature of a text in the tenant's name, 19 characters of base64url; see clicks.py."""
    signature = _sign(_key_of(tenant_id), b"text:" + text.encode("utf-8", "surrogatepass"))
    return base64.urlsafe_b64encode(signature).decode().rstrip("=")


def _sign(key: bytes, block: bytes) -> bytes:
    return hmac.digest(key, block, "sha256")[:_SIGNATURE]


@lru_cache(maxsize=4_096)
def _key_of(tenant_id: int) -> bytes:
    return hmac.digest(settings.ID_KEY, b"receipts of tenant %d" % tenant_id, "sha256")


@lru_cache(maxsize=1)
def _cipher() -> Cipher[ECB]:
    # ECB of a single block is a keyed permutation; a key of its own keeps these blocks and public ids apart.
    return Cipher(AES(hashlib.sha256(b"receipt tokens" + settings.ID_KEY).digest()[:16]), ECB())  # noqa: S305
