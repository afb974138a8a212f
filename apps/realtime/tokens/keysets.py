"""Public keys at an address that a tenant gave us (JSON Web Key Sets, RFC 7517): fetched by the egress guard, kept.

An unknown key id asks again, at most every AGAIN seconds, so that forged ids cost nobody anything.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError
from pyreqwest.proxy import ProxyBuilder

from apps.core.egress import AddressRefused, Place, read_url, resolve
from apps.core.encoding import from_base64url

log = logging.getLogger(__name__)

Key = RSAKey | ECKey
#: Seconds: between two questions to one address; after which keys are asked for again, in the background; and after
#: which they are believed no longer.
AGAIN, FRESH, STALE = 30.0, 600.0, 24 * 3_600.0
MAX_SETS = 1_000
MAX_KEYS = 50
_MAX_BYTES = 64 * 1024
_TIMEOUT = timedelta(seconds=5)
_AT_ONCE = 8
_MIN_RSA_BITS = 2_048


class NoKeys(Exception):
    """The address cannot be called, or does not answer with a key set."""


@dataclass(slots=True)
class _KeySet:
    """Times: of the monotonic clock."""

    keys: Mapping[str, Key] = field(default_factory=dict)
    fetched_at: float = 0.0
    asked_at: float = float("-inf")
    asking: asyncio.Task[None] | None = None


class KeySets:
    """Belongs to one event loop. fetch: URL -> the document, or NoKeys."""

    def __init__(self, fetch: Callable[[str], Awaitable[bytes]] | None = None) -> None:
        self._fetch = fetch or fetched
        self._sets: OrderedDict[str, _KeySet] = OrderedDict()
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def key(self, url: str, key_id: str) -> Key | None:
        """None when the set has no such key, or cannot be had."""
        known = self._sets.setdefault(url, _KeySet())
        self._sets.move_to_end(url)
        while len(self._sets) > MAX_SETS:
            self._sets.popitem(last=False)
        age = time.monotonic() - known.fetched_at
        found = known.keys.get(key_id) if age <= STALE else None
        if found is None:
            await self._ask(url, known)
            return known.keys.get(key_id)
        if age > FRESH:
            self._begin(url, known)
        return found

    async def _ask(self, url: str, known: _KeySet) -> None:
        self._begin(url, known)
        if known.asking is not None:
            await asyncio.shield(known.asking)

    def _begin(self, url: str, known: _KeySet) -> None:
        if known.asking is None and time.monotonic() - known.asked_at >= AGAIN:
            known.asked_at = time.monotonic()
            known.asking = asyncio.get_running_loop().create_task(self._refresh(url, known))

    async def _refresh(self, url: str, known: _KeySet) -> None:
        try:
            async with self._slots:
                known.keys = keys_in(await self._fetch(url))
            known.fetched_at = time.monotonic()
        except NoKeys as error:
            log.warning("tokens.no_keys reason=%s", error)
            if time.monotonic() - known.fetched_at > STALE:
                known.keys = {}
        finally:
            known.asking = None


def keys_in(document: bytes) -> Mapping[str, Key]:
    """By key id, those that can verify RS256 or ES256. Others, and symmetric or private ones, are left out.

    Raises NoKeys.
    """
    try:
        listed = orjson.loads(document)["keys"]
    except (orjson.JSONDecodeError, TypeError, KeyError, IndexError):
        raise NoKeys("not a key set") from None
    if not isinstance(listed, list):
        raise NoKeys("not a key set")
    found = ((each.get("kid"), _key(each)) for each in listed[:MAX_KEYS] if isinstance(each, dict))
    return {key_id: key for key_id, key in found if isinstance(key_id, str) and key is not None}


def _key(fields: dict[str, Any]) -> Key | None:
    if "d" in fields or fields.get("use", "sig") != "sig":
        return None
    try:
        if fields.get("kty") == "RSA" and fields.get("alg", "RS256") == "RS256":
            is_long = 8 * len(from_base64url(fields["n"]).lstrip(b"\0")) >= _MIN_RSA_BITS
            return RSAKey.import_key(fields) if is_long else None
        if fields.get("kty") == "EC" and fields.get("crv") == "P-256" and fields.get("alg", "ES256") == "ES256":
            return ECKey.import_key(fields)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return None


async def fetched(url: str) -> bytes:
    """Never follows anywhere, and reads so much at most. Raises NoKeys."""
    try:
        place = read_url(url)
        address = await asyncio.to_thread(resolve, place)
    except AddressRefused as error:
        raise NoKeys(error.reason) from None
    client = _client(place, address)
    try:
        request = client.get(place.url).header("accept", "application/json")
        async with request.streamed_read_buffer_limit(_MAX_BYTES).build_streamed() as response:
            body = bytes(await response.body_reader.read(_MAX_BYTES + 1) or b"")
            if response.status != 200 or len(body) > _MAX_BYTES:
                raise NoKeys(f"status {response.status}, {len(body)} bytes")
            return body
    except PyreqwestError as error:
        raise NoKeys(type(error).__name__) from None
    finally:
        await client.close()


def _client(place: Place, address: str) -> Client:
    builder = (
        ClientBuilder().https_only(place.origin.startswith("https:")).user_agent("pushsaas-tokens")
        .follow_redirects(False).referer(False).gzip(False).brotli(False).zstd(False).deflate(False)
        .timeout(_TIMEOUT).connect_timeout(_TIMEOUT).resolve(place.host, address, place.port)
    )  # fmt: skip
    proxy = settings.EGRESS_PROXY
    builder = builder.proxy(ProxyBuilder.all(proxy)) if proxy else builder.no_proxy()
    if settings.EGRESS_CA:
        builder = builder.add_root_certificate_pem(Path(settings.EGRESS_CA).read_bytes())
    return builder.build()
