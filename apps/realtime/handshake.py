"""What a client must bring before it becomes a connection, whatever transport it comes by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from apps.realtime.plane import Plane
from apps.realtime.protocol import closing, messages
from apps.realtime.protocol.closing import Close
from apps.tenants.queries import ApplicationRecord

_VERSION = re.compile(r"\A[0-9A-Za-z.+_-]{1,64}\Z")


class Refused(Exception):
    """why: the close code says whether the client may come back."""

    def __init__(self, why: Close) -> None:
        self.why = why


async def application_of(plane: Plane, key: str, query: Mapping[str, str], *, is_secure: bool) -> ApplicationRecord:
    """The application that a percent-encoded key of a path belongs to. Raises Refused."""
    _check_version(query)
    record = await plane.registry.application_by_key(unquote(key))
    if record is None:
        raise Refused(closing.NO_SUCH_APPLICATION)
    if not record.enabled:
        raise Refused(closing.APPLICATION_DISABLED)
    if record.settings.tls_required and not is_secure:
        raise Refused(closing.TLS_REQUIRED)
    return record


def _check_version(query: Mapping[str, str]) -> None:
    protocol = query.get("protocol", "")
    if not protocol:
        raise Refused(closing.NO_PROTOCOL)
    supported = protocol.isascii() and protocol.isdigit() and len(protocol) < 4
    if not supported or not messages.OLDEST_PROTOCOL <= int(protocol) <= messages.PROTOCOL:
        raise Refused(closing.UNSUPPORTED_PROTOCOL)
    if "version" in query and not _VERSION.match(query["version"]):
        raise Refused(closing.BAD_VERSION)


def client_of(query: Mapping[str, str]) -> str:
    """Library and version, as the client says."""
    return f"{query.get('client', '')} {query.get('version', '')}".strip()[:80]
