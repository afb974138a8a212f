from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable

from apps.operations.supervisor import Child, Supervisor


def _child(name: str, script: str, stop_seconds: float = 5.0) -> Child:
    return Child(name, [sys.executable, "-u", "-c", script], dict(os.environ), stop_seconds)


def _turn_until(supervisor: Supervisor, reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < deadline
        supervisor.turn(0.05)


def test_output_arrives_line_by_line_with_its_child() -> None:
    lines: list[tuple[str, str]] = []
    supervisor = Supervisor([_child("a", "print('one'); print('two'); import time; time.sleep(60)")],
                            lambda *line: lines.append(line))  # fmt: skip
    supervisor.start_all()
    _turn_until(supervisor, lambda: len(lines) >= 2)
    supervisor.stop_all()
    assert lines[:2] == [("a", "one"), ("a", "two")]


def test_a_killed_child_is_started_again() -> None:
    lines: list[tuple[str, str]] = []
    child = _child("a", "import os, time; print(os.getpid()); time.sleep(60)")
    supervisor = Supervisor([child], lambda *line: lines.append(line))
    supervisor.start_all()
    _turn_until(supervisor, lambda: len(lines) == 1)
    os.kill(int(lines[0][1]), signal.SIGKILL)
    _turn_until(supervisor, lambda: len(lines) == 3)
    supervisor.stop_all()
    assert lines[1] == ("a", "ended with -9; starts again in 1 s")
    assert lines[2][1] != lines[0][1]


def test_a_child_that_ignores_sigterm_is_killed_in_the_end() -> None:
    lines: list[tuple[str, str]] = []
    script = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); time.sleep(60)"
    child = _child("a", script, stop_seconds=0.3)
    supervisor = Supervisor([child], lambda *line: lines.append(line))
    supervisor.start_all()
    _turn_until(supervisor, lambda: len(lines) == 1)
    supervisor.stop_all()
    assert child.process is not None
    assert child.process.returncode == -signal.SIGKILL
    assert lines[-1][1].startswith("did not stop within")


def test_children_stop_in_reverse_order() -> None:
    lines: list[tuple[str, str]] = []
    script = (
        "import signal, sys, time\n"
        "def end(*_):\n    print('end')\n    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\nprint('up')\ntime.sleep(60)"
    )
    supervisor = Supervisor([_child("first", script), _child("second", script)], lambda *line: lines.append(line))
    supervisor.start_all()
    _turn_until(supervisor, lambda: len(lines) == 2)
    supervisor.stop()
    supervisor.stop_all()
    supervisor.turn(0.1)
    assert [name for name, text in lines if text == "end"] == ["second", "first"]
