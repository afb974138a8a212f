"""The product itself, for a benchmark: engines, a tenant, and a server process on the server's core."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.rulers import SERVER_CORE, pinned
from tests.live import Live, LiveServer, LiveTenant


@contextmanager
def running(*arguments: str) -> Iterator[tuple[Live, LiveServer, LiveTenant]]:
    home = Path(tempfile.mkdtemp(prefix="pushsaas-bench-"))
    live = Live(home)
    try:
        tenant = live.tenant("Bench")
        yield live, started_server(live, *arguments), tenant
    finally:
        live.stop()
        shutil.rmtree(home, ignore_errors=True)


def started_server(live: Live, *arguments: str) -> LiveServer:
    """Another server process on the server's core, listening."""
    interpreter = pinned(SERVER_CORE, sys.executable)
    server = LiveServer(live.environment, live.home / "server.log", *arguments, interpreter=interpreter)
    live.servers.append(server)
    server.wait_until_listening()
    return server
