"""Celery workers with a beat of their own, as `make run` starts them: for benchmarks of what ticks do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.live import ROOT, Live


class Workers:
    """Two worker processes and a beat, in a process group of their own."""

    def __init__(self, live: Live, **variables: str) -> None:
        self._live = live
        self._environment = {**live.environment, "PUSHSAAS_ROLE": "worker", "C_FORCE_ROOT": "1", **variables}
        self.start()

    def start(self) -> None:
        command = [
            sys.executable, "-W", "ignore", "-m", "celery", "-q", "-A", "pushsaas", "worker", "--concurrency", "2",
            "--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--beat",
            "--schedule", str(self._live.home / "beat"),
        ]  # fmt: skip
        with (self._live.home / "worker.log").open("ab") as output:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=self._environment, stdout=output, stderr=output, start_new_session=True
            )

    @property
    def group(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """kill -9, all of them."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextmanager
def working(live: Live, **variables: str) -> Iterator[Workers]:
    workers = Workers(live, **variables)
    try:
        yield workers
    finally:
        workers.kill()
