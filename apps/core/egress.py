"""Which places out there may be called with a URL that a tenant, a device or a credential file gave us (SSRF guard).

Answers for: reading the URL strictly, resolving its host once, refusing every address that is not public, and handing
back the one address to connect to. The caller connects to that very address (`apps/providers/http.py`), so a name that
changes its answer between the check and the call gains nothing. `ipaddress.is_global` is not used: its answers differ
between Python versions and it says yes to multicast, NAT64 and 6to4.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import idna
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from apps.core.errors import Category, HouseError

MAX_URL = 1_000
PORTS = frozenset({443, 8443})
PROXY_PORTS = frozenset({443, 3128, 8080, 8443})
MAIL_PORTS = frozenset({25, 465, 587, 2525})
#: A name with more addresses than this is no name of a push service.
MAX_ADDRESSES = 32

_URL = re.compile(r"(https?)://([^/?#@\\\s]+)((?:[/?][!$-\[\]-~]*)?)", re.ASCII)
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?", re.ASCII)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
#: Characters that IDNA takes for a dot and a reader does not.
_FOREIGN_DOTS = frozenset("\u3002\uff0e\uff61")
#: What a browser or getaddrinfo would read as the last part of an IPv4 address.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_INNER_NAMES = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "arpa", "onion", "test", "invalid")

_REFUSED_4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
#: Global unicast is 2000::/3; whatever lies outside (mapped, compatible, NAT64, ULA, link-local, multicast) is refused.
_GLOBAL_6 = IPv6Network("2000::/3")
_REFUSED_6 = tuple(
    IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)


class AddressRefused(HouseError):
    """`details["reason"]`: url, scheme, port, host, numeric_host, inner_name, address, unresolved."""

    category = Category.INVALID
    code = "address_refused"
    default_message = _("This address cannot be called from here. Use a public https address.")

    def __init__(self, reason: str) -> None:
        super().__init__(details={"reason": reason})
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Place:
    """A URL taken apart. origin: `scheme://host[:port]`, without a default port. host: ASCII, lower case, IPv6 bare.

    trusted: the operator listed the origin in PUSHSAAS_EGRESS_ALLOW, so its addresses are not judged.
    """

    url: str
    origin: str
    host: str
    port: int
    trusted: bool


def read_url(url: str) -> Place:
    """What the URL means, by its text alone: no name is looked up. Raises AddressRefused."""
    match = _URL.fullmatch(url) if len(url) <= MAX_URL else None
    authority = _AUTHORITY.fullmatch(match[2]) if match else None
    if match is None or authority is None:
        raise AddressRefused("url")
    scheme, host = match[1], _read_host(authority[1])
    default = 443 if scheme == "https" else 80
    port = int(authority[2] or default)
    shown = f"[{host}]" if ":" in host else host
    origin = f"{scheme}://{shown}" if port == default else f"{scheme}://{shown}:{port}"
    trusted = origin in settings.EGRESS_ALLOW
    if not trusted:
        _judge(scheme, host, port)
    return Place(f"{origin}{match[3] or '/'}", origin, host, port, trusted)


def read_mail_server(server: str) -> Place:
    """`host` or `host:port` (587 by default) of a mail server, by the same rules. Its origin is `smtp://host:port`.

    Raises AddressRefused.
    """
    authority = _AUTHORITY.fullmatch(server) if len(server) <= MAX_URL else None
    if authority is None:
        raise AddressRefused("url")
    host, port = _read_host(authority[1]), int(authority[2] or 587)
    origin = f"smtp://[{host}]:{port}" if ":" in host else f"smtp://{host}:{port}"
    trusted = origin in settings.EGRESS_ALLOW
    if not trusted:
        if port not in MAIL_PORTS:
            raise AddressRefused("port")
        _judge_host(host)
    return Place(origin, origin, host, port, trusted)


def read_proxy(url: str) -> Place:
    """`http://host:port` (or https) of a proxy, without its password, by the same rules. Raises AddressRefused."""
    match = _URL.fullmatch(url) if len(url) <= MAX_URL else None
    authority = _AUTHORITY.fullmatch(match[2]) if match else None
    if match is None or authority is None or match[3]:
        raise AddressRefused("url")
    host, port = _read_host(authority[1]), int(authority[2] or (443 if match[1] == "https" else 3128))
    origin = f"{match[1]}://[{host}]:{port}" if ":" in host else f"{match[1]}://{host}:{port}"
    trusted = origin in settings.EGRESS_ALLOW
    if not trusted:
        if port not in PROXY_PORTS:
            raise AddressRefused("port")
        _judge_host(host)
    return Place(origin, origin, host, port, trusted)


def resolve(place: Place) -> str:
    """The address to connect to. Every address of the name must be public. Blocks on DNS. Raises AddressRefused."""
    try:
        answers = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise AddressRefused("unresolved") from None
    addresses = list(dict.fromkeys(str(answer[4][0]) for answer in answers))
    if not 0 < len(addresses) <= MAX_ADDRESSES:
        raise AddressRefused("unresolved")
    if not place.trusted and not all(is_public(address) for address in addresses):
        raise AddressRefused("address")
    return addresses[0]


def is_public(address: str) -> bool:
    """address: as getaddrinfo spells it. A scoped one (`fe80::1%eth0`) is not public."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return not any(parsed in network for network in _REFUSED_4)
    return parsed.scope_id is None and parsed in _GLOBAL_6 and not any(parsed in network for network in _REFUSED_6)


def _read_host(text: str) -> str:
    if text.startswith("["):
        try:
            return str(IPv6Address(text[1:-1]))
        except ValueError:
            raise AddressRefused("host") from None
    if not _FOREIGN_DOTS.isdisjoint(text):
        raise AddressRefused("host")
    try:
        host = text.lower() if text.isascii() else idna.encode(text).decode()
    except idna.IDNAError:
        raise AddressRefused("host") from None
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressRefused("host")
    if _NUMBER.fullmatch(labels[-1]):
        return _read_dotted_quad(host)
    return host


def _read_dotted_quad(host: str) -> str:
    """Only the canonical spelling: short, octal and hexadecimal forms mean different hosts to different readers."""
    try:
        return str(IPv4Address(host))
    except ValueError:
        raise AddressRefused("numeric_host") from None


def _judge(scheme: str, host: str, port: int) -> None:
    if scheme != "https":
        raise AddressRefused("scheme")
    if port not in PORTS:
        raise AddressRefused("port")
    _judge_host(host)


def _judge_host(host: str) -> None:
    if ":" in host or _NUMBER.fullmatch(host.rpartition(".")[2]):
        if not is_public(host):
            raise AddressRefused("address")
    elif "." not in host or host.rpartition(".")[2] in _INNER_NAMES:
        raise AddressRefused("inner_name")
