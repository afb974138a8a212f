"""The yardsticks in C: compiled once per run, server on one core, load on another."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import psutil

HERE = Path(__file__).resolve().parent
SERVER_CORE, LOAD_CORE = "0", "1"


class NoCompiler(RuntimeError):
    """The yardsticks are C programs; `cc` is missing."""


def pinned(core: str, *command: str | Path) -> list[str]:
    """The command on one core, where the machine lets us choose."""
    prefix = ["taskset", "-c", core] if shutil.which("taskset") else []
    return [*prefix, *map(str, command)]


@lru_cache(maxsize=4)
def ruler(name: str) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        raise NoCompiler("a C compiler (cc) is needed for the yardsticks")
    program = Path(tempfile.gettempdir()) / f"pushsaas-{name}"
    subprocess.run([compiler, "-O2", "-o", program, HERE / "yardsticks" / f"{name}.c"], check=True)
    return program


class Load:
    """wsload: `connections` WebSockets that count what arrives, for so many seconds after READY."""

    def __init__(self, port: int, path: str, connections: int, first: str, seconds: float) -> None:
        command = pinned(LOAD_CORE, ruler("wsload"), str(port), path, str(connections), first, str(seconds))
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line.strip() != "READY":
            raise RuntimeError(f"the load could not connect: {line}")

    def rate(self, server: subprocess.Popen[bytes]) -> float:
        """Waits until the load is over; frames per second of the server's CPU time.

        On a machine with nothing else to do that is the wall clock's rate of a busy core; on a shared one the
        neighbours do not count.
        """
        before = _cpu_seconds(server)
        output, _ = self._process.communicate()
        found = re.search(r"frames=(\d+)", output)
        if found is None:
            raise RuntimeError(f"the load said: {output}")
        return float(found[1]) / (_cpu_seconds(server) - before)


def _cpu_seconds(server: subprocess.Popen[bytes]) -> float:
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


def started(core: str, command: Sequence[str | Path], **options: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(pinned(core, *command), **options)  # type: ignore[call-overload, no-any-return]
