"""From a lane to a TLS connection that speaks HTTP/2, through a proxy where there is one.

Nothing of a request has left before this is over, so whatever fails here was surely not sent.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import certifi
from django.conf import settings

from apps.providers import proxies
from apps.providers.exchanges import Lane

#: Bytes of a proxy's answer to CONNECT.
_MAX_HEAD = 8_192


class NotConnected(Exception):
    """`str()` is our word for why."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """address: to connect to. host: its name, for TLS. authorization: of the header, or empty."""

    address: str
    host: str
    port: int
    is_secure: bool
    authorization: str = ""


async def dial(lane: Lane, protocol: asyncio.Protocol) -> None:
    """The protocol is told of the connection when TLS is up. Raises OSError, NotConnected."""
    loop = asyncio.get_running_loop()
    host, port = target_of(lane.origin)
    context = trusting(settings.EGRESS_CA, "h2")
    proxy = proxy_of(lane)
    if proxy is None:
        await loop.create_connection(lambda: protocol, host, port, ssl=context, server_hostname=host)
        return
    tunnel = await _tunnel(proxy, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    secured = await loop.start_tls(tunnel, protocol, context, server_hostname=host)
    if secured is None:
        raise NotConnected("proxy_ended")
    protocol.connection_made(secured)


def target_of(origin: str) -> tuple[str, int]:
    parts = urlsplit(origin)
    return parts.hostname or "", parts.port or 443


def proxy_of(lane: Lane) -> Proxy | None:
    """The credential's own, at the address that was checked; else the installation's."""
    if lane.proxy:
        own = proxies.read(lane.proxy)
        place = own.place
        return Proxy(
            lane.proxy_address,
            place.host,
            place.port,
            place.origin.startswith("https:"),
            _basic(own.name, own.password),
        )
    if not settings.EGRESS_PROXY:
        return None
    common = urlsplit(settings.EGRESS_PROXY)
    host, is_secure = common.hostname or "", common.scheme == "https"
    authorization = _basic(unquote(common.username or ""), unquote(common.password or ""))
    return Proxy(host, host, common.port or (443 if is_secure else 80), is_secure, authorization)


def trusting(ca: str, *protocols: str) -> ssl.SSLContext:
    """The system's authorities, those that came with the installation, and the operator's own. ca: a file, or empty."""
    return _context(ca, Path(ca).stat().st_mtime_ns if ca else 0, protocols)


@lru_cache(maxsize=4)
def _context(ca: str, _changed_at: int, protocols: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    if ca:
        context.load_verify_locations(ca)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


def _basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode() if name else ""


class _Tunnel(asyncio.Protocol):
    """Reads the proxy's answer to CONNECT and nothing behind it: the server speaks only after our TLS."""

    def __init__(self) -> None:
        self._head = b""
        self.answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self._head += data
        if self.answered.done():
            return
        if b"\r\n\r\n" in self._head:
            self.answered.set_result(self._head)
        elif len(self._head) > _MAX_HEAD:
            self.answered.set_exception(NotConnected("proxy_answer"))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answered.done():
            self.answered.set_exception(NotConnected("proxy_ended"))


async def _tunnel(proxy: Proxy, target: str) -> asyncio.Transport:
    """An open way to the target. Raises OSError, NotConnected."""
    secured = trusting(settings.EGRESS_CA) if proxy.is_secure else None
    transport, tunnel = await asyncio.get_running_loop().create_connection(
        _Tunnel, proxy.address, proxy.port, ssl=secured, server_hostname=proxy.host if secured else None
    )
    try:
        transport.write(_connect(target, proxy.authorization))
        head = await tunnel.answered
        status = head.split(b" ", 2)[1:2]
        if not head.startswith(b"HTTP/1.") or not status or status[0][:1] != b"2" or not head.endswith(b"\r\n\r\n"):
            raise NotConnected("proxy_refused")
    except BaseException:
        transport.abort()
        raise
    return transport


def _connect(target: str, authorization: str) -> bytes:
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if authorization:
        lines.append(f"Proxy-Authorization: {authorization}")
    return "\r\n".join([*lines, "", ""]).encode()
