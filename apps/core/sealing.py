"""Secrets at rest: AES-256-GCM under a list of keys; the first seals, all open.

A sealed text is `v1:key id:nonce:ciphertext` (base64url). The context (for example `tenants.credential|app_key`) is
authenticated with it, so a ciphertext copied into another row or column does not open.
"""

import base64
import hashlib
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

_NONCE_BYTES = 12


class SealBroken(Exception):
    """The text was not sealed by a key we hold, or not for this context."""


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"pushsaas-key-id" + key).hexdigest()[:8]


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


def seal(plaintext: str, *, context: str, keys: tuple[bytes, ...] | None = None) -> str:
    key = (keys or settings.SEALING_KEYS)[0]
    nonce = secrets.token_bytes(_NONCE_BYTES)
    ciphertext = AESGCM(key).encrypt(nonce, plaintext.encode(), context.encode())
    return f"v1:{_key_id(key)}:{_b64(nonce)}:{_b64(ciphertext)}"


def unseal(sealed: str, *, context: str, keys: tuple[bytes, ...] | None = None) -> str:
    """Raises SealBroken."""
    try:
        version, key_id, nonce, ciphertext = sealed.split(":")
        key = next(key for key in keys or settings.SEALING_KEYS if _key_id(key) == key_id)
        if version != "v1":
            raise SealBroken("unknown seal version")
        plaintext = AESGCM(key).decrypt(
            base64.urlsafe_b64decode(nonce), base64.urlsafe_b64decode(ciphertext), context.encode()
        )
    except (ValueError, StopIteration, InvalidTag) as error:
        raise SealBroken(str(error) or type(error).__name__) from error
    return plaintext.decode()
