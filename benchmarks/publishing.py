"""publish.signed: signed publish requests on kept-alive connections, beside the same work in a DRF view."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import rulers
from benchmarks.flood import Flood
from benchmarks.gateway import SERVERS, Gateway, gateway, size
from benchmarks.registry import Reading, figure
from benchmarks.rulers import SERVER_CORE, cpu_seconds
from tests.live import ROOT, free_port

AIM = 8_000


@figure("publish.signed")
def signed() -> Iterator[Reading]:
    for server in SERVERS:
        with gateway(server) as one:
            rate = _requests(one, one.server.port, one.server.process)
            with _drf_view(server, one) as (port, process):
                beside = _requests(one, port, process)
        ratios = {"aim": rate / AIM, "drf-view": rate / beside}
        yield Reading(f"publish.signed.{server}", rate, "requests/cpu-second", ratios)


def _requests(one: Gateway, port: int, server: subprocess.Popen[bytes]) -> float:
    """Answered with 200, per second of the server's CPU time."""
    before = cpu_seconds(server)
    answered = Flood(port, one.tenant, size("SECONDS", 5)).answered()
    return answered / (cpu_seconds(server) - before)


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
