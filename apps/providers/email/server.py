"""A tenant's mail server, and the connection to the very address that was checked."""

from __future__ import annotations

import smtplib
import socket
import ssl
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from django.conf import settings
from django.core.mail.backends.smtp import EmailBackend

from apps.core.egress import Place

#: Seconds for connecting, and for each answer.
TIMEOUT = 10
#: The port on which TLS begins with the first byte (RFC 8314). On the others STARTTLS comes before anything else.
_TLS_PORT = 465


@dataclass(frozen=True, slots=True)
class MailServer:
    """Connections are shared by mails with the same MailServer. address: the checked address of place.host."""

    owner: str
    place: Place
    address: str
    username: str = ""
    password: str = field(default="", repr=False)


class _Pinned(smtplib.SMTP):
    """Connects to the address and not to the name. has_begun: the server may hold the mail."""

    def __init__(self, *arguments: Any, address: str, **named: Any) -> None:
        self.address, self.has_begun = address, False
        super().__init__(*arguments, **named)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return socket.create_connection((self.address, port), timeout)

    def data(self, msg: Any) -> tuple[int, bytes]:
        self.has_begun = True
        return super().data(msg)


class _PinnedTls(smtplib.SMTP_SSL, _Pinned):
    """TLS from the first byte; the certificate is checked for the name."""


class Mailer(EmailBackend):
    """Django's backend on a pinned connection. Without TLS it speaks to servers only that the operator trusts."""

    def __init__(self, server: MailServer) -> None:
        tls_first = server.place.port == _TLS_PORT
        super().__init__(
            host=server.place.host, port=server.place.port, username=server.username, password=server.password,
            use_ssl=tls_first, use_tls=not tls_first and not server.place.trusted, timeout=TIMEOUT, fail_silently=False,
        )  # fmt: skip
        self._address = server.address

    @property
    def connection_class(self) -> Any:
        return partial(_PinnedTls if self.use_ssl else _Pinned, address=self._address)

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=settings.EGRESS_CA or None)

    @property
    def may_hold_mail(self) -> bool:
        """Whether the content of the mail under way had begun to leave."""
        return isinstance(self.connection, _Pinned) and self.connection.has_begun

    def begin(self) -> None:
        """Before each mail."""
        if isinstance(self.connection, _Pinned):
            self.connection.has_begun = False
