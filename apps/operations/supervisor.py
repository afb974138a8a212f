"""Keeps child processes running: starts them, passes their output on, restarts the fallen, stops all in order.

One thread, one selector. A child that dies is started again with growing patience; a child never outlives us, not even
after kill -9 (the kernel signals it, see `die_with_parent`).
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from apps.core.embedded import die_with_parent

_PATIENCE = (0.5, 1.0, 2.0, 5.0, 10.0)
#: A child that ran this long starts with fresh patience.
_STABLE_SECONDS = 60.0


@dataclass(slots=True)
class Child:
    """A process to keep running. stop_seconds: how long it may take over an orderly end."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    stop_seconds: float = 30.0
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    falls: int = 0
    restart_at: float | None = None
    partial: bytes = field(default=b"", repr=False)


class Supervisor:
    """Runs children until told to stop. `write` receives finished lines: (child name, text)."""

    def __init__(self, children: Sequence[Child], write: Callable[[str, str], None]) -> None:
        self._children = list(children)
        self._write = write
        self._selector = selectors.DefaultSelector()
        self._stopping = False

    def stop(self) -> None:
        """Asks the loop to end; safe from a signal handler."""
        self._stopping = True

    @property
    def stopping(self) -> bool:
        return self._stopping

    def start_all(self) -> None:
        for child in self._children:
            self._start(child)

    def turn(self, timeout: float = 0.2) -> None:
        """One round: pass output on, notice the dead, start again whose patience is over."""
        for key, _ in self._selector.select(timeout):
            self._read(key.data, key.fileobj)  # type: ignore[arg-type]
        now = time.monotonic()
        for child in self._children:
            if child.restart_at is not None and now >= child.restart_at:
                self._start(child)
            elif child.process is not None and child.process.poll() is not None:
                self._fallen(child, child.process.returncode, now)

    def stop_all(self) -> None:
        """Ends the children one after the other, last started first, each in its own time."""
        for child in reversed(self._children):
            process = child.process
            if process is None or process.poll() is not None:
                continue
            process.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + child.stop_seconds
            while process.poll() is None and time.monotonic() < deadline:
                for key, _ in self._selector.select(0.1):
                    self._read(key.data, key.fileobj)  # type: ignore[arg-type]
            if process.poll() is None:
                self._write(child.name, f"did not stop within {child.stop_seconds:.0f} s, killed")
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _start(self, child: Child) -> None:
        child.restart_at = None
        child.started_at = time.monotonic()
        child.process = subprocess.Popen(
            child.command,
            env=dict(child.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A group of its own: the terminal's Ctrl-C reaches only us, and we stop the children in order.
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )
        assert child.process.stdout is not None
        os.set_blocking(child.process.stdout.fileno(), False)
        self._selector.register(child.process.stdout, selectors.EVENT_READ, child)

    def _fallen(self, child: Child, code: int, now: float) -> None:
        child.process = None
        if self._stopping:
            return
        child.falls = 0 if now - child.started_at > _STABLE_SECONDS else child.falls + 1
        wait = _PATIENCE[min(child.falls, len(_PATIENCE) - 1)]
        self._write(child.name, f"ended with {code}; starts again in {wait:g} s")
        child.restart_at = now + wait

    def _read(self, child: Child, pipe: IO[bytes]) -> None:
        try:
            chunk = os.read(pipe.fileno(), 65_536)
        except BlockingIOError:
            return
        if not chunk:
            self._selector.unregister(pipe)
            pipe.close()
        *lines, child.partial = (child.partial + chunk).split(b"\n")
        for line in lines:
            self._write(child.name, line.decode(errors="replace"))


def python(*arguments: str) -> list[str]:
    """A command of this project's own interpreter."""
    return [sys.executable, *arguments]
