"""An authenticator app for tests: RFC 6238 with the usual parameters."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import time

_STEP = 30


def code(key: str, *, at: float | None = None) -> str:
    """The six digits of a base32 key, as the app would show them now."""
    plain = key.replace(" ", "").upper()
    secret = base64.b32decode(plain + "=" * (-len(plain) % 8))
    counter = struct.pack(">Q", int((time.time() if at is None else at) // _STEP))
    digest = hmac.digest(secret, counter, hashlib.sha1)
    offset = digest[-1] & 15
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"


def wait_for_fresh_code(key: str, used: str) -> str:
    """A code other than `used`: each works once, so a second sign-in within 30 s waits for the next."""
    while (fresh := code(key)) == used:
        time.sleep(0.5)
    return fresh
