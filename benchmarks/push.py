"""push.apns, webpush.encrypt: the sending side alone, on one core.

push.apns sends from the adapter's own connections to nghttpd over TLS on the other core; beside it h2load, in C, with
the same connections and streams, and aioapns and httpx with a quarter of the requests under way, which suits them
better. webpush.encrypt makes whole requests: keys, ciphertext and the origin's VAPID header; beside it http-ece, which
does the ciphertext only.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.registry import Reading, figure
from benchmarks.rulers import LOAD_CORE, SERVER_CORE, pinned

CONNECTIONS, STREAMS, REQUESTS = 4, 100, 40_000
_PATH = "3/device/token"


class NoYardstick(RuntimeError):
    """nghttpd and h2load are missing (Debian: nghttp2-server, nghttp2-client)."""


@figure("push.apns")
def apns() -> Iterator[Reading]:
    with temporary_home() as home, nghttpd(home) as port:
        limit = _h2load(port)
        rate = measured(home, "apns", str(port))
        peers = {name: _peer(home, name, port) for name in ("aioapns", "httpx")}
    ratios = {"h2load": rate / limit, **{name: rate / peer for name, peer in peers.items()}}
    yield Reading("push.apns", rate, "pushes/s", ratios)


@figure("webpush.encrypt")
def encrypt() -> Iterator[Reading]:
    with temporary_home() as home:
        rate, other = measured(home, "encrypt"), measured(home, "http_ece")
    yield Reading("webpush.encrypt", rate, "pushes/s", {"http_ece": rate / other})


def measured(home: Path, what: str, *arguments: str) -> float:
    """Runs benchmarks/push_client.py on its core; it prints one number."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PUSHSAAS_")}
    environment |= {
        "PUSHSAAS_HOME": str(home), "PUSHSAAS_EGRESS_CA": str(home / "ca.pem"),
        "DJANGO_SETTINGS_MODULE": "pushsaas.settings",
    }  # fmt: skip
    command = pinned(LOAD_CORE, sys.executable, "-W", "ignore", "-m", "benchmarks.push_client", what, *arguments)
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2_000:])
    return float(done.stdout)


def _peer(home: Path, name: str, port: int) -> float:
    command = pinned(LOAD_CORE, sys.executable, "-W", "ignore", "-m", "benchmarks.push_peers", name, str(port), home)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2_000:])
    return float(done.stdout)


@contextmanager
def temporary_home() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="pushsaas-bench-"))
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def nghttpd(home: Path, *, paths: Sequence[str] = ("token",)) -> Iterator[int]:
    """Answers 200 to pushes to these tokens, on the server's core."""
    from apps.providers.counterparts.authority import Authority

    if shutil.which("nghttpd") is None or shutil.which("h2load") is None:
        raise NoYardstick("nghttpd and h2load are needed (Debian: nghttp2-server, nghttp2-client)")
    Authority(home)
    folder = (home / "root" / _PATH).parent
    folder.mkdir(parents=True)
    for name in paths:
        (folder / name).touch()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["nghttpd", "-d", home / "root", "-a", "127.0.0.1", "-m", "1000", str(port), *[home / "server.pem"] * 2]
    server = subprocess.Popen(pinned(SERVER_CORE, *command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield port
    finally:
        server.terminate()
        server.wait()


def _wait_for(port: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("nghttpd did not start")


def _h2load(port: int) -> float:
    with tempfile.NamedTemporaryFile() as body:
        body.write(b"x" * 200)
        body.flush()
        command = ["h2load", "-n", str(REQUESTS), "-c", str(CONNECTIONS), "-m", str(STREAMS), "-d", body.name,
                   f"https://127.0.0.1:{port}/{_PATH}"]  # fmt: skip
        output = subprocess.run(pinned(LOAD_CORE, *command), capture_output=True, text=True, check=True).stdout
    found = re.search(r"([0-9.]+) req/s", output)
    if found is None:
        raise RuntimeError(output[-500:])
    return float(found[1])
