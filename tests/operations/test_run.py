"""`make run` as a stranger meets it: real processes, from the first line to the last child's end."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from apps.core import embedded
from tests.live import ROOT, free_port
from tests.product import RunningProduct

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("run")]


def _run_once(home: Path, *, program: tuple[str, ...] = ("manage.py", "run")) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PUSHSAAS_HOME": str(home), "DJANGO_SETTINGS_MODULE": "pushsaas.settings"}
    return subprocess.run(
        [sys.executable, *program], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def product(home: Path) -> Iterator[RunningProduct]:
    running = RunningProduct(home, free_port())
    yield running
    if running.process.poll() is None:
        running.end()


def _gone(processes: list[psutil.Process], seconds: float = 20) -> list[str]:
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return [f"{process.pid} {process.name()}" for process in alive if process.is_running()]


def test_a_run_serves_greets_stops_and_starts_again_with_the_same_credentials(
    home: Path, product: RunningProduct
) -> None:
    product.wait_for("API key")
    first = re.findall(r"(?:password|id|key|secret) (\S+)", product.said())
    assert product.get("/healthz")[0] == 200
    assert json.loads(product.get("/readyz")[1])["status"] == "ready"
    assert "pushsaas_" in product.get("/metrics")[1]
    offspring = product.offspring()
    assert {"postgres", "valkey-server"} <= {process.name() for process in offspring}
    assert product.end() == 0
    assert _gone(offspring) == []
    assert product.said().rstrip().endswith("pushsaas: stopped")

    again = RunningProduct(home, product.port)
    try:
        again.wait_for("API key")
        assert re.findall(r"(?:password|id|key|secret) (\S+)", again.said()) == first
        offspring = again.offspring()
    finally:
        assert again.end(signal.SIGINT) == 0
    assert _gone(offspring) == []


def test_no_child_outlives_a_supervisor_that_is_killed(product: RunningProduct) -> None:
    product.wait_for("ready at")
    offspring = product.offspring()
    assert len(offspring) >= 5
    product.end(signal.SIGKILL)
    assert _gone(offspring, 60) == []


def test_a_killed_role_and_a_killed_engine_come_back(product: RunningProduct) -> None:
    product.wait_for("ready at")
    by_name = {process.name(): process for process in product.offspring()}
    by_name["valkey-server"].kill()
    product.wait_for("Valkey ended with -9; starting it again")
    web = next(process for process in product.offspring() if "apps.realtime.serve" in " ".join(process.cmdline()))
    web.kill()
    product.wait_for("web | ended with -9")
    deadline = time.monotonic() + 60
    while True:
        try:
            if product.get("/readyz")[0] == 200:
                break
        except OSError:
            assert time.monotonic() < deadline, product.said()
            time.sleep(0.2)
    assert product.process.poll() is None


def test_engines_that_somebody_else_runs_are_used_and_left_running(home: Path, tmp_path: Path) -> None:
    sockets = tmp_path / "run"
    postgres = embedded.start_postgres(tmp_path / "postgres", sockets)
    valkey = embedded.start_valkey(tmp_path / "valkey", sockets)
    with psycopg.connect(host=str(sockets), user="postgres", dbname="postgres", autocommit=True) as admin:
        admin.execute("CREATE DATABASE theirs")
    product = RunningProduct(
        home, free_port(),
        PUSHSAAS_DATABASE_URL=f"postgresql://postgres@/theirs?host={sockets}",
        PUSHSAAS_VALKEY_URL=f"unix://{sockets / 'valkey.sock'}",
    )  # fmt: skip
    try:
        product.wait_for("ready at")
        assert {"postgres", "valkey-server"}.isdisjoint(process.name() for process in product.offspring())
        assert product.end() == 0
        assert (postgres.process.poll(), valkey.process.poll()) == (None, None)
        assert not (home / "postgres").exists()
    finally:
        product.end()
        valkey.stop()
        postgres.stop()


def test_an_unreachable_database_is_said(home: Path, tmp_path: Path) -> None:
    refused = RunningProduct(home, free_port(), PUSHSAAS_DATABASE_URL=f"postgresql://me@/theirs?host={tmp_path}")
    assert refused.process.wait(60) == 1
    assert "PostgreSQL does not answer at PUSHSAAS_DATABASE_URL" in refused.said()
    assert "Traceback" not in refused.said()


def test_a_taken_port_is_said_and_nothing_is_left(home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        refused = RunningProduct(home, other.getsockname()[1])
        assert refused.process.wait(60) == 1
    assert "is taken by another program. Choose another: PORT=" in refused.said()
    assert "Traceback" not in refused.said()


def test_a_home_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = _run_once(tmp_path / "file" / "home")
    assert done.returncode == 1
    assert "Choose another place with PUSHSAAS_HOME" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_old_python_is_told_what_is_needed(tmp_path: Path) -> None:
    script = (
        "import sys; sys.version_info = (3, 9, 1, 'final', 0); sys.argv = ['bootstrap.py', 'run'];"
        "exec(compile(open('deploy/bootstrap.py').read().replace('__file__', repr(sys.argv[0])), 'b', 'exec'))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env={"PATH": str(tmp_path)}, capture_output=True,
                          text=True, timeout=60, check=False)  # fmt: skip
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed, this is 3.9" in done.stderr
