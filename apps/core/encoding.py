"""Unpadded base64url, as every push network writes keys. Pure."""

from __future__ import annotations

import base64
import re

_TEXT = re.compile(r"[0-9A-Za-z_-]*={0,2}")


def to_base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """Padded or not. Raises ValueError, also for characters that base64 would silently skip."""
    if not _TEXT.fullmatch(text):
        raise ValueError("not base64url")
    return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)
