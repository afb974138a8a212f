"""The one way out of webhooks: a POST to a URL that a tenant gave us. Blocks; meant for threads.

The name is resolved once per call, every address judged (`apps.core.egress`), and the connection made to that very
address. Connections are kept per (origin, address). Nothing is followed, decompressed or read beyond a few KiB.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from pyreqwest.client import SyncClient, SyncClientBuilder
from pyreqwest.exceptions import PyreqwestError, RequestTimeoutError
from pyreqwest.proxy import ProxyBuilder

from apps.core.egress import AddressRefused, Place, read_url, resolve
from apps.webhooks.verdicts import Answer, Outcome, outcome_of

#: Of a whole call without the name's resolution, and of connecting.
TIMEOUT, _CONNECT_TIMEOUT = timedelta(seconds=15), timedelta(seconds=5)
#: Bytes of an answer that are read, and characters of it that are kept.
_MAX_ANSWER, MAX_EXCERPT = 4_096, 1_000
#: Clients (origin and address) kept per process. Beyond it the one not used for longest is dropped.
_MAX_CLIENTS = 100


@dataclass(frozen=True, slots=True)
class Call:
    url: str
    headers: Mapping[str, str]
    body: bytes


def post(call: Call) -> Answer:
    """Never raises for what the other side does."""
    started = time.monotonic()
    try:
        place = read_url(call.url)
        client = _clients.of(place, resolve(place))
    except AddressRefused as error:
        return Answer(Outcome.ADDRESS_REFUSED, excerpt=error.reason)
    return replace(_post(client, call), duration=time.monotonic() - started)


def _post(client: SyncClient, call: Call) -> Answer:
    request = client.post(call.url).headers(dict(call.headers)).body_bytes(call.body)
    try:
        with request.streamed_read_buffer_limit(_MAX_ANSWER).build_streamed() as response:
            status, retry_after = response.status, response.headers.get("retry-after", "")
            body = bytes(response.body_reader.read(_MAX_ANSWER) or b"")
    except RequestTimeoutError:
        return Answer(Outcome.TIMEOUT)
    except PyreqwestError as error:
        return Answer(Outcome.UNREACHABLE, excerpt=type(error).__name__)
    return Answer(outcome_of(status), status, _excerpt(body), retry_after)


def _excerpt(body: bytes) -> str:
    return body.decode(errors="replace").replace("\0", "�")[:MAX_EXCERPT]


class _Clients:
    """This process's. A forked child makes its own: the threads behind a client are not there."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = 0
        self._open: OrderedDict[tuple[str, str], SyncClient] = OrderedDict()

    def of(self, place: Place, address: str) -> SyncClient:
        with self._lock:
            if self._pid != os.getpid():
                self._pid, self._open = os.getpid(), OrderedDict()
            key = (place.origin, address)
            if key not in self._open:
                self._open[key] = _client(place, address)
            self._open.move_to_end(key)
            while len(self._open) > _MAX_CLIENTS:
                self._open.popitem(last=False)
            return self._open[key]


_clients = _Clients()


def _client(place: Place, address: str) -> SyncClient:
    builder = (
        SyncClientBuilder().https_only(place.origin.startswith("https:")).user_agent("pushsaas-webhooks")
        .follow_redirects(False).referer(False).gzip(False).brotli(False).zstd(False).deflate(False)
        .timeout(TIMEOUT).connect_timeout(_CONNECT_TIMEOUT).resolve(place.host, address, place.port)
    )  # fmt: skip
    proxy = settings.EGRESS_PROXY
    builder = builder.proxy(ProxyBuilder.all(proxy)) if proxy else builder.no_proxy()
    if settings.EGRESS_CA:
        builder = builder.add_root_certificate_pem(Path(settings.EGRESS_CA).read_bytes())
    return builder.build()
