"""publish.signed: signed publish requests on kept-alive connections, beside the same work in a DRF view."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import publisher, rulers
from benchmarks.gateway import SERVERS, Gateway, gateway, size
from benchmarks.registry import Reading, figure
from benchmarks.rulers import LOAD_CORE, SERVER_CORE, cpu_seconds, pinned
from tests.live import ROOT, free_port

AIM = 8_000
CONNECTIONS = 32
_SCRIPT = """wrk.method = "POST"
wrk.body = [[{body}]]
wrk.headers["Content-Type"] = "application/json"
"""


@figure("publish.signed")
def signed() -> Iterator[Reading]:
    if shutil.which("wrk") is None:
        raise rulers.ToolMissing("wrk is needed to load an HTTP server")
    for server in SERVERS:
        with gateway(server) as one:
            rate = _requests(one, one.server.port, one.server.process)
            with _drf_view(server, one) as (port, process):
                beside = _requests(one, port, process)
        ratios = {"aim": rate / AIM, "drf-view": rate / beside}
        yield Reading(f"publish.signed.{server}", rate, "requests/cpu-second", ratios)


def _requests(one: Gateway, port: int, server: subprocess.Popen[bytes]) -> float:
    """Answered with 200, per second of the server's CPU time."""
    tenant, seconds = one.tenant, size("SECONDS", 5)
    path = publisher.signed_path(tenant.application_id, tenant.key, tenant.secret)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT.format(body=publisher.BODY.decode()))
        script.flush()
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", script.name]
        before = cpu_seconds(server)
        said = subprocess.run(
            pinned(LOAD_CORE, *command, f"http://127.0.0.1:{port}{path}"), capture_output=True, text=True, check=True
        ).stdout
        used = cpu_seconds(server) - before
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(f"not every request was accepted: {said}")
    found = re.search(r"(\d+) requests in", said)
    if found is None:
        raise RuntimeError(f"wrk said: {said}")
    return int(found[1]) / used


@contextmanager
def _drf_view(server: str, one: Gateway) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    port = free_port()
    module = "benchmarks.peers.drf_publish:application"
    arguments = {
        "uvicorn": ["uvicorn", "--no-access-log", "--log-level", "error", "--port", str(port), module],
        "daphne": ["daphne", "-v", "0", "-b", "127.0.0.1", "-p", str(port), module],
    }[server]
    environment = {**one.live.environment, "PUSHSAAS_ROLE": "web"}
    log = Path(one.live.home) / "peer.log"
    with log.open("ab") as output:
        command = [sys.executable, "-m", *arguments]
        process = rulers.started(SERVER_CORE, command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        rulers.wait_for(port)
        yield port, process
    finally:
        process.kill()
        process.wait()
