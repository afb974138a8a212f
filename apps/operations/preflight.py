"""Looks before the leap: is the home writable and ours alone, is the port free?"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from pathlib import Path
from typing import IO

from apps.operations.errors import StartRefused


def lock_home(home: Path) -> IO[str]:
    """Makes the home and locks it for this run. The lock goes with the returned file, however the process ends."""
    try:
        home.mkdir(mode=0o711, parents=True, exist_ok=True)
        file = (home / "run.lock").open("a+")
    except OSError as error:
        raise StartRefused(
            f"cannot write to {home} ({error.strerror}). Choose another place with PUSHSAAS_HOME=/some/directory."
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        owner = file.read().strip() or "unknown"
        raise StartRefused(
            f"pushsaas already runs in {home} (process {owner}). Stop it first, or give this one its own PUSHSAAS_HOME."
        ) from error
    file.seek(0)
    file.truncate()
    file.write(str(os.getpid()))
    file.flush()
    return file


def require_free_port(host: str, port: int) -> None:
    """Raises StartRefused when nobody could listen there."""
    if not 0 < port < 65_536:
        raise StartRefused(f"PORT must lie between 1 and 65535, not {port}.")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            why = {errno.EADDRINUSE: "is taken by another program", errno.EACCES: "needs more rights"}
            reason = why.get(error.errno or 0, error.strerror or "cannot be used")
            raise StartRefused(f"port {port} on {host} {reason}. Choose another: PORT=8001 make run.") from error
