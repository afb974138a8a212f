"""A credential's own way out: an HTTP proxy that the tenant names, called under the rules for every foreign address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from django.utils.translation import gettext_lazy as _

from apps.core.egress import AddressRefused, Place, read_proxy, resolve
from apps.providers.base import CredentialField
from apps.providers.errors import CredentialInvalid

PROXY = CredentialField(
    "proxy", _("Proxy"), is_required=False,
    help=_("When pushes must leave by an HTTP proxy of yours: http://name:password@proxy.example.com:3128."),
)  # fmt: skip

_PROXY = re.compile(r"(https?://)(?:([^:@/\s]+):([^@/\s]*)@)?([^@/\s]+?)/?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Proxy:
    """place: where it is. name, password: empty when it asks for none; percent signs are read as in URLs."""

    place: Place
    name: str
    password: str

    def address(self) -> str:
        """The address to connect to. Blocks on DNS. Raises AddressRefused."""
        return resolve(self.place)


def read(text: str) -> Proxy:
    """By its text alone. Raises AddressRefused."""
    match = _PROXY.fullmatch(text)
    if match is None:
        raise AddressRefused("url")
    return Proxy(read_proxy(match[1] + match[4]), unquote(match[2] or ""), unquote(match[3] or ""))


def check(values: Mapping[str, str]) -> None:
    """Of a credential about to be saved. Raises CredentialInvalid."""
    try:
        if values.get(PROXY.name):
            read(values[PROXY.name])
    except AddressRefused:
        raise CredentialInvalid(
            PROXY.name, _("Give a public address such as http://proxy.example.com:3128, port 443, 3128, 8080 or 8443.")
        ) from None
