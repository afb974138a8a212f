"""Push networks on this machine for a run that is a demo: one process on loopback, ended with the rest.

Only beside the embedded database and the demo: a run that somebody gave an address of a real network, or whose data are
somewhere else, gets none, and neither does `PUSHSAAS_STAND_INS=0`.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from django.conf import settings

from apps.operations.errors import StartRefused
from apps.operations.supervisor import Child, python
from apps.providers.counterparts.place import ports_in, variables
from pushsaas import env

_CONNECT_SECONDS = 60
_running = False


def directory() -> Path:
    return Path(settings.HOME) / "stand-ins"


def are_running() -> bool:
    return _running


def prepare(url: str) -> None:
    """Decides whether there are any, and points every role started from now on at them. url: where the run serves."""
    global _running
    is_demo = env.database().embedded and (Path(settings.HOME) / "demo.json").exists()
    if settings.PRODUCTION or not is_demo or not env.flag("STAND_INS", default=True):
        return
    places = variables(directory(), ports_in(directory()))
    if any(name in os.environ for name in places):
        return
    os.environ.update(places)
    os.environ.setdefault("PUSHSAAS_PUBLIC_URL", url)  # mails need a link to unsubscribe
    _running = True


def children() -> list[Child]:
    if not _running:
        return []
    command = python("-m", "apps.providers.counterparts", "--quiet", str(directory()))
    return [Child("networks", command, {**os.environ, "PYTHONUNBUFFERED": "1"}, stop_seconds=10)]


def connect_phones() -> None:
    """In a process that reads the variables from its start. Raises StartRefused."""
    done = subprocess.run(
        python("manage.py", "connect_phones"), cwd=settings.BASE_DIR, capture_output=True, text=True,
        timeout=_CONNECT_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode:
        raise StartRefused(f"the demo's phones could not be connected: {done.stderr.strip()[-500:]}")
