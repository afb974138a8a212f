"""A whole running product for tests that drive it from outside: engines, database, tenants, server processes.

    live.server()                     a process of `apps.realtime.serve` on a free port (stopped with the session)
    live.tenant("Acme")               what `manage.py create_tenant --json` prints, as `LiveTenant`

It has a PUSHSAAS_HOME of its own, so nothing here meets the rows of tests that run inside pytest's transaction.
Register it with `pytest_plugins` or import the fixture `live` into a conftest.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest

from apps.core import embedded
from tests import clusters

ROOT = Path(__file__).resolve().parent.parent
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "64MB"}


@dataclass(frozen=True, slots=True)
class LiveTenant:
    tenant_id: str
    application_id: str
    key: str
    secret: str
    api_key: str


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class LiveServer:
    """One server process. interpreter: another way to start Python (pinned to a core, say)."""

    def __init__(
        self, environment: dict[str, str], log: Path, *arguments: str, interpreter: Sequence[str] = (sys.executable,)
    ) -> None:
        self.port = int(arguments[arguments.index("--port") + 1]) if "--port" in arguments else free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [*interpreter, "-m", "apps.realtime.serve", "--port", str(self.port), *arguments],
                cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def wait_until_listening(self, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                assert self.process.poll() is None, self.log.read_text(errors="replace")
                assert time.monotonic() < deadline, self.log.read_text(errors="replace")
                time.sleep(0.05)

    def switch(self, tenant: LiveTenant, **settings: object) -> None:
        """Changes settings of the tenant's application over the REST API."""
        address = f"{self.url}/api/v1/applications/{tenant.application_id}"
        headers = {
            "Authorization": f"Bearer {tenant.api_key}", "Content-Type": "application/json",
            "X-Forwarded-Proto": "https",
        }  # fmt: skip
        body = json.dumps({"settings": settings}).encode()
        urlopen(Request(address, body, headers, method="PATCH"), timeout=20).close()

    def kill(self) -> None:
        """As a machine that loses power."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


class Live:
    """Engines, a migrated database, and whatever was started on them. durable: PostgreSQL waits for the disk."""

    def __init__(self, home: Path, *, durable: bool = False) -> None:
        self.home = home
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PUSHSAAS_")},
            "PUSHSAAS_HOME": str(home),
            "DJANGO_SETTINGS_MODULE": "pushsaas.settings",
            "PYTHONPATH": str(ROOT),
        }
        self._durable = durable
        is_prepared = clusters.restore(home / "postgres", "pushsaas")
        self._engines = [self._start_postgres(), self._start_valkey()]
        self.servers: list[LiveServer] = []
        if not is_prepared:
            self.manage("prepare_database")
            self._engines[0].stop()
            clusters.keep(home / "postgres", "pushsaas")
            self._engines[0] = self._start_postgres()

    @property
    def valkey_url(self) -> str:
        return f"unix://{self.home / 'run' / 'valkey.sock'}"

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def tenant(self, name: str = "Acme") -> LiveTenant:
        unique = uuid4().hex
        made = self.manage(
            "create_tenant", "--name", name, "--email", f"{unique}@example.com",
            "--password", "correct horse battery staple", "--application", "Shop", "--json",
        )  # fmt: skip
        return LiveTenant(**json.loads(made))

    def server(self, *arguments: str) -> LiveServer:
        """Another server process on a free port, listening."""
        server = LiveServer(self.environment, self.home / "server.log", *arguments)
        self.servers.append(server)
        server.wait_until_listening()
        return server

    def restart_valkey_empty(self) -> None:
        """kill -9, then a new one that knows nothing."""
        valkey = self._engines.pop()
        valkey.process.kill()
        valkey.process.wait()
        self._engines.append(self._start_valkey())

    def kill_postgres(self) -> None:
        """kill -9 of the server, then recovery from its log."""
        self._engines[0].process.kill()
        self._engines[0].process.wait()
        self._engines[0] = self._start_postgres()

    def _start_postgres(self) -> embedded.Engine:
        return embedded.start_postgres(
            self.home / "postgres", self.home / "run", settings=None if self._durable else _FAST
        )

    def _start_valkey(self) -> embedded.Engine:
        return embedded.start_valkey(self.home / "valkey", self.home / "run", settings={"appendonly": "no"})

    def stop(self) -> None:
        for server in self.servers:
            server.process.kill()
            server.process.wait()
        for engine in reversed(self._engines):
            engine.stop()


@pytest.fixture(scope="session")
def live() -> Iterator[Live]:
    # A short path: the engines' Unix sockets live below it.
    home = Path(tempfile.mkdtemp(prefix="pushsaas-live-"))
    product = Live(home)
    try:
        yield product
    finally:
        product.stop()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def gateway(live: Live) -> LiveServer:
    """The session's common server process."""
    return live.server()


@pytest.fixture(scope="session")
def live_tenant(live: Live) -> LiveTenant:
    return live.tenant("Acme")


@pytest.fixture(scope="session")
def other_live_tenant(live: Live) -> LiveTenant:
    return live.tenant("Globex")
