"""Signatures of Pusher Channels: HMAC-SHA256 in lower-case hex, keyed with an application's secret.

Source: pusher.com/docs/channels/library_auth_reference/auth-signatures and rest-api. Comparing takes constant time.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

#: How far a request's clock may be from ours, in seconds, either way.
TIMESTAMP_WINDOW = 600


def sign(secret: str, text: str) -> str:
    return hmac.digest(secret.encode(), text.encode("utf-8", "surrogatepass"), "sha256").hex()


def channel_text(socket_id: str, channel: str, channel_data: str | None) -> str:
    """What is signed for a private or presence channel; channel_data exactly as received."""
    return f"{socket_id}:{channel}" if channel_data is None else f"{socket_id}:{channel}:{channel_data}"


def sign_in_text(socket_id: str, user_data: str) -> str:
    return f"{socket_id}::user::{user_data}"


def is_signed(auth: object, text: str, secrets: Mapping[str, str]) -> bool:
    """Whether `auth` (`KEY:signature`) signs the text with the secret of that key."""
    if not isinstance(auth, str):
        return False
    key, _, signature = auth.partition(":")
    secret = secrets.get(key)
    if secret is None:
        return False
    return hmac.compare_digest(sign(secret, text).encode(), signature.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """One HTTP request as it came over the wire. path: undecoded. query, body: raw bytes."""

    method: str
    path: str
    query: bytes
    body: bytes


def query_pairs(query: bytes) -> list[tuple[str, str]]:
    """Splits on `&` and the first `=`, percent-decodes. Unlike a form, `+` and `;` mean themselves (the SDKs' way)."""
    parts = [pair.partition("=") for pair in query.decode("latin-1").split("&") if pair]
    if b"%" not in query:
        return [(name.lower(), value) for name, _, value in parts]
    return [(unquote(name).lower(), unquote(value)) for name, _, value in parts]


def request_text(request: SignedRequest, pairs: list[tuple[str, str]]) -> str:
    signed = sorted([pair for pair in pairs if pair[0] != "auth_signature"])
    return f"{request.method}\n{request.path}\n" + "&".join([f"{name}={value}" for name, value in signed])


def why_not_signed(request: SignedRequest, secrets: Mapping[str, str], now: float) -> str | None:
    """None when the request is authentic, else a sentence for the developer. now: Unix seconds."""
    pairs = query_pairs(request.query)
    given = dict(pairs)
    secret = secrets.get(given.get("auth_key", ""))
    if secret is None:
        return "auth_key is missing or not an active key of this application"
    if given.get("auth_version") != "1.0":
        return "auth_version must be 1.0"
    timestamp = given.get("auth_timestamp", "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return "auth_timestamp must be Unix time in seconds"
    expected = sign(secret, request_text(request, pairs)).encode()
    if not hmac.compare_digest(expected, given.get("auth_signature", "").encode("utf-8", "surrogatepass")):
        return "auth_signature does not match; the string to sign was not what this server signs"
    if abs(now - int(timestamp)) > TIMESTAMP_WINDOW:
        return f"auth_timestamp is more than {TIMESTAMP_WINDOW} seconds away from the server's clock"
    if request.body or "body_md5" in given:
        digest = hashlib.md5(request.body, usedforsecurity=False).hexdigest()
        if not hmac.compare_digest(digest.encode(), given.get("body_md5", "").encode("utf-8", "surrogatepass")):
            return "body_md5 is missing or does not match the body"
    return None
