"""Where a request comes from, as far as our own proxies can vouch for it."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def client_ip(request: HttpRequest) -> str | None:
    """The client's address, or None on a Unix socket.

    Each trusted proxy appends the peer it saw to `X-Forwarded-For`, so with N trusted hops the client is the Nth entry
    from the right. Whatever stands left of it was written by the client; a header that is too short or not an address
    was not written by our proxies, and then the peer itself is the answer.
    """
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    hops = settings.TRUSTED_HOPS
    if 0 < hops <= len(forwarded) and (address := _address(forwarded[-hops])):
        return address
    return _address(request.META.get("REMOTE_ADDR") or "")


def network_of(ip: str | None) -> str:
    """What limits are counted by: an IPv4 address, or the /64 an IPv6 client can roam in at will."""
    if ip is None:
        return "local"
    address = ipaddress.ip_address(ip)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _address(text: str) -> str | None:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
