"""The yardsticks in C: compiled once per run, server on one core, load on another."""

from __future__ import annotations

import os
import re
import resource
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import psutil

HERE = Path(__file__).resolve().parent
SERVER_CORE, LOAD_CORE = "0", "1"
#: Of the scheduler's real-time priorities.
_FIRST = 10


class ToolMissing(RuntimeError):
    """A program that a figure needs is not installed."""


def pinned(core: str, *command: str | Path) -> list[str]:
    """The command on one core, where the machine lets us choose."""
    prefix = ["taskset", "-c", core] if shutil.which("taskset") else []
    return [*prefix, *map(str, command)]


@lru_cache(maxsize=4)
def ruler(name: str) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        raise ToolMissing("a C compiler (cc) is needed for the yardsticks")
    program = Path(tempfile.gettempdir()) / f"pushsaas-{name}"
    subprocess.run([compiler, "-O2", "-o", program, HERE / "yardsticks" / f"{name}.c"], check=True)
    return program


class Load:
    """wsload: `connections` WebSockets that count what arrives, for so many seconds after READY.

    options: wsload's environment (`burst`, `modulo`, `needle`; see the head of wsload.c). punctual: it goes before
    everything else on its core, for what measures time.
    """

    def __init__(
        self,
        port: int,
        path: str,
        connections: int,
        first: str,
        seconds: float,
        *,
        punctual: bool = False,
        **options: str | int,
    ) -> None:
        command = pinned(LOAD_CORE, ruler("wsload"), str(port), path, str(connections), first, str(seconds))
        environment = {f"WSLOAD_{name.upper()}": str(value) for name, value in options.items()}
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment},
            preexec_fn=_punctual if punctual else _many_files,
        )  # fmt: skip
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line.strip() != "READY":
            raise RuntimeError(f"the load could not connect: {line}")

    def rate(self, server: subprocess.Popen[bytes]) -> float:
        """Waits until the load is over; frames per second of the server's CPU time.

        On a machine with nothing else to do that is the wall clock's rate of a busy core; on a shared one the
        neighbours do not count.
        """
        before = cpu_seconds(server)
        frames = self.result()["frames"]
        return frames / (cpu_seconds(server) - before)

    def cut(self) -> None:
        """All connections end at once, without a word."""
        self._process.kill()
        self._process.communicate()

    def result(self) -> dict[str, float]:
        """Waits until the load is over; what it counted."""
        output, _ = self._process.communicate()
        found = {name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)", output)}
        if "frames" not in found:
            raise RuntimeError(f"the load said: {output}")
        return found


def _many_files() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _punctual() -> None:
    _many_files()
    go_first()


def go_first() -> None:
    """This thread before every other on its core, where the machine lets us."""
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_FIRST))


def go_with_others() -> None:
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def cpu_seconds(server: subprocess.Popen[bytes]) -> float:
    times = psutil.Process(server.pid).cpu_times()
    return times.user + times.system


@lru_cache(maxsize=4)
def send_limit(port: int, connections: int, payload: int, seconds: float) -> float:
    """Frames per second of one core that does nothing but send(2)."""
    limit = started(SERVER_CORE, [ruler("sendlimit"), str(port), str(connections), str(payload)])
    try:
        time.sleep(0.5)
        return Load(port, "/", connections, "", seconds).rate(limit)
    finally:
        limit.kill()
        limit.wait()


def least_latency(port: int, connections: int, payload: int, seconds: float, per_second: int) -> float:
    """p99 in milliseconds of frames that a server sends which does nothing else, at this pace, on this machine, now."""
    pace = {**os.environ, "SENDLIMIT_PER_SECOND": str(per_second)}
    limit = started(SERVER_CORE, [ruler("sendlimit"), str(port), str(connections), str(payload)], env=pace)
    try:
        time.sleep(0.5)
        return Load(port, "/", connections, "", seconds, punctual=True).result()["p99_us"] / 1_000
    finally:
        limit.kill()
        limit.wait()


def started(core: str, command: Sequence[str | Path], **options: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(pinned(core, *command), **options)  # type: ignore[call-overload, no-any-return]


def wait_for(port: int) -> None:
    """Until somebody listens there. Raises OSError after 20 s."""
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
