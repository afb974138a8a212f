"""Real clients against a real server process. npm's packages are installed here when Node exists."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.clients.node import NodeClient
from tests.live import LiveServer, LiveTenant

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """Skips with a reason where Node is missing. CI has it, so there these tests run."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node.js and npm are not installed")
    installed = HERE / "node_modules"
    if not all((installed / name).exists() for name in ("pusher-js", "http_ece", "laravel-echo")):
        done = subprocess.run(["npm", "ci", "--loglevel=error"], cwd=HERE, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"npm ci failed: {done.stderr.strip()[-300:]}")
    return installed


@pytest.fixture
def node_client(
    node_modules: Path, gateway: LiveServer, live_tenant: LiveTenant
) -> Iterator[Callable[..., NodeClient]]:
    """`node_client("ada")`: a Node process with pusher-js and pusher, set up as that user on the common server."""
    started: list[NodeClient] = []

    def start(
        user: str = "ada", *, server: LiveServer | None = None, wrong: bool = False, transport: str = "ws",
        client_port: int = 0, watchlist: Sequence[str] = (), tenant: LiveTenant | None = None, batch: bool = False,
    ) -> NodeClient:  # fmt: skip
        client = NodeClient(HERE / "driver.cjs")
        started.append(client)
        client.port = client_port or (server or gateway).port
        shop = tenant or live_tenant
        client.do(
            "use", appId=shop.application_id, key=shop.key, secret=shop.secret, watchlist=list(watchlist),
            port=client_port or (server or gateway).port, user=user, wrong=wrong, transport=transport, batch=batch,
        )  # fmt: skip
        return client

    yield start
    for client in started:
        client.stop()
