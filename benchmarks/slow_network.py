"""A network that takes everything and answers after a second. Prints where it is; runs until it is ended.

Usage: python -m benchmarks.slow_network DIRECTORY
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from apps.providers.counterparts.authority import Authority
from apps.providers.counterparts.faults import Fault, Slow
from apps.providers.counterparts.server import Incoming, Outgoing, Server

SECONDS = 1.0


class Accepting:
    allows_one_stream_first = False

    def take(self, incoming: Incoming) -> Outgoing:
        return Outgoing(200, {"apns-id": incoming.headers["apns-id"]})


class Always(dict[int, Fault]):
    """The same fault for every request."""

    def get(self, _number: int, _default: Fault | None = None) -> Fault:  # type: ignore[override]
        return Slow(SECONDS)


if __name__ == "__main__":
    with Server(Accepting(), Authority(Path(sys.argv[1])).server_context()) as server:
        server.faults = Always()
        print(server.origin, flush=True)
        signal.pause()
