"""The browsers of a machine that reaches no real push service: their subscriptions, and what they decrypt (RFC 8291).

The subscriptions are kept in a file, so that a browser registered yesterday is still one after a restart.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from apps.core.encoding import from_base64url, to_base64url


@dataclass(frozen=True, slots=True)
class Subscription:
    """A browser's. sender_key: the VAPID key it is bound to. private_key, auth: base64url."""

    sender_key: str
    private_key: str
    auth: str

    @property
    def keys(self) -> dict[str, str]:
        """As `PushSubscription.toJSON().keys`."""
        return {"p256dh": to_base64url(_point(self._key.public_key())), "auth": self.auth}

    @property
    def _key(self) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(int.from_bytes(from_base64url(self.private_key), "big"), ec.SECP256R1())

    def read(self, body: bytes) -> dict[str, Any] | None:
        """The JSON in a push of one record (aes128gcm); None for what was not made for this browser."""
        salt, length = body[:16], body[20]
        sender = body[21 : 21 + length]
        try:
            shared = self._key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender))
            info = b"WebPush: info\0" + _point(self._key.public_key()) + sender
            secret = _derived(shared, from_base64url(self.auth), info, 32)
            key = _derived(secret, salt, b"Content-Encoding: aes128gcm\0", 16)
            nonce = _derived(secret, salt, b"Content-Encoding: nonce\0", 12)
            plain = AESGCM(key).decrypt(nonce, body[21 + length :], None)
            parsed = json.loads(plain.rstrip(b"\0")[:-1])
        except (InvalidTag, ValueError):
            return None
        return parsed if isinstance(parsed, dict) else None


class Browsers:
    """By the path of their endpoint. Safe to use from several threads."""

    def __init__(self, file: Path) -> None:
        self._file, self._lock = file, threading.Lock()
        self.known: dict[str, Subscription] = {}
        if file.exists():
            self.known = {path: Subscription(**one) for path, one in json.loads(file.read_text()).items()}

    def add(self, path: str, sender_key: str) -> Subscription:
        number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
        private = to_base64url(number.to_bytes(32, "big"))
        made = Subscription(sender_key, private, to_base64url(secrets.token_bytes(16)))
        with self._lock:
            self.known[path] = made
            draft = self._file.with_suffix(".new")
            draft.touch(mode=0o600)
            draft.write_text(json.dumps({at: asdict(one) for at, one in self.known.items()}))
            os.replace(draft, self._file)
        return made


def _derived(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(secret)


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
