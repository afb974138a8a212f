"""Encryption for one subscription: RFC 8291 keys, RFC 8188 `aes128gcm` in a single record. Pure.

Written with `cryptography` itself: a message takes half of the time that http-ece takes for the same bytes. The tests
let http-ece read what we write.
"""

from __future__ import annotations

import hmac
import secrets

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from apps.core.subscription_keys import CURVE, Keys

_RECORD_SIZE = (4096).to_bytes(4, "big")
_LAST_RECORD = b"\x02"
#: Bytes that encryption adds: the header (86), the delimiter (1) and the tag (16).
OVERHEAD = 103
#: Bytes: what services take, less that.
MAX_PLAINTEXT = 4096 - OVERHEAD


def encrypt(
    plaintext: bytes, keys: Keys, *, key: ec.EllipticCurvePrivateKey | None = None, salt: bytes | None = None
) -> bytes:
    """The body of a push: salt, record size, our public key, ciphertext. At most MAX_PLAINTEXT bytes go in.

    key, salt: fresh for every message; given only to reproduce a test vector.
    """
    if len(plaintext) > MAX_PLAINTEXT:
        raise ValueError("too long for one record")
    key = key or ec.generate_private_key(CURVE)
    salt = salt or secrets.token_bytes(16)
    ours = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    shared = _expand(keys.auth, key.exchange(ec.ECDH(), keys.point), b"WebPush: info\x00" + keys.public + ours)
    secret = hmac.digest(salt, shared, "sha256")
    content_key = _from(secret, b"Content-Encoding: aes128gcm\x00")[:16]
    nonce = _from(secret, b"Content-Encoding: nonce\x00")[:12]
    ciphertext = AESGCM(content_key).encrypt(nonce, plaintext + _LAST_RECORD, None)
    return salt + _RECORD_SIZE + bytes([len(ours)]) + ours + ciphertext


def _expand(salt: bytes, secret: bytes, info: bytes) -> bytes:
    return _from(hmac.digest(salt, secret, "sha256"), info)


def _from(secret: bytes, info: bytes) -> bytes:
    """HKDF's expansion (RFC 5869) for at most 32 bytes, which is one block."""
    return hmac.digest(secret, info + b"\x01", "sha256")
