"""The whole product on one machine: engines, database, demo tenant, roles.

Answers for the order of start and stop and for what is printed. What keeps the children alive is in supervisor.py.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

import psycopg
import redis
from django.conf import settings
from django.db import connections

from apps.core import embedded, valkey
from apps.core.embedded import Engine
from apps.operations import demo, phones, preflight, stand_ins, translations
from apps.operations.database import prepare_database
from apps.operations.errors import StartRefused
from apps.operations.supervisor import Child, Supervisor, python
from pushsaas import env

_READY_SECONDS = 60.0


class Run:
    """One run from preflight to the last child's end."""

    def __init__(self, *, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._url = f"http://{host}:{port}"
        self._engines: list[Engine] = []
        self._supervisor: Supervisor | None = None
        self._asked_to_stop = False

    def forever(self) -> None:
        """Raises StartRefused or EngineFailed with words for the operator; returns when told to stop."""
        for wanted in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(wanted, self._told_to_stop)
        preflight.require_free_port(self._host, self._port)
        lock = preflight.lock_home(settings.HOME)
        try:
            self._prepare()
            if not self._asked_to_stop:
                self._serve()
        finally:
            self._stop()
            lock.close()

    def _told_to_stop(self, signum: int, frame: FrameType | None) -> None:
        self._asked_to_stop = True
        if self._supervisor is not None:
            self._supervisor.stop()

    def _prepare(self) -> None:
        settings.STATIC_ROOT.mkdir(exist_ok=True)  # WhiteNoise looks for it even where it serves from the sources
        self._step("starting the engines", self._start_engines)
        self._step("preparing the database", self._prepare_database)
        self._step("compiling translations", translations.compile_stale)

    def _step(self, title: str, action: Callable[[], object]) -> None:
        if self._asked_to_stop:
            return
        started = time.monotonic()
        _say(f"{title} …")
        action()
        _say(f"{title}: done ({time.monotonic() - started:.1f} s)")

    def _start_engines(self) -> None:
        if env.database().embedded:
            self._engines.append(_start_postgres())
        if env.valkey_is_embedded():
            self._engines.append(_start_valkey())
        try:
            valkey.connect(settings.HOME_REGION).ping()
        except redis.RedisError as error:
            raise StartRefused(f"Valkey does not answer at PUSHSAAS_VALKEY_URL: {error}") from error

    def _prepare_database(self) -> None:
        try:
            prepare_database(verbosity=0)
        except psycopg.OperationalError as error:
            raise StartRefused(f"PostgreSQL does not answer at PUSHSAAS_DATABASE_URL: {error}") from error
        if not settings.PRODUCTION:
            demo.ensure()
            stand_ins.prepare(self._url)
        connections.close_all()

    def _serve(self) -> None:
        self._supervisor = supervisor = Supervisor(self._roles(), _pass_on)
        supervisor.start_all()
        deadline, ready = time.monotonic() + _READY_SECONDS, False
        while not supervisor.stopping and not self._asked_to_stop:
            supervisor.turn()
            if not ready and self._is_ready():
                ready = True
                if stand_ins.are_running() and phones.are_wanted():
                    self._step("connecting the demo's phones", stand_ins.connect_phones)
                    connections.close_all()
                _say(f"ready at {self._url}")
                for line in demo.greeting(self._url):
                    _say(line)
            elif not ready and time.monotonic() > deadline:
                raise StartRefused(f"the web role did not become ready within {_READY_SECONDS:.0f} s; see above.")
            self._revive_engines()

    def _roles(self) -> list[Child]:
        beat_state = str(settings.HOME / "beat-schedule")
        web = python("-m", "apps.realtime.serve", "--host", self._host, "--port", str(self._port))
        celery = python("-W", "ignore::UserWarning:celery.platforms", "-m", "celery", "-q", "-A", "pushsaas")
        worker = [*celery, "worker", "--loglevel", "WARNING", "--concurrency", "2",
                  "--without-gossip", "--without-mingle"]  # fmt: skip
        beat = [*celery, "beat", "--loglevel", "WARNING", "--pidfile", "", "--schedule", beat_state]
        return [
            *stand_ins.children(),
            Child("worker", worker, _environment("worker"), stop_seconds=60),
            Child("beat", beat, _environment("beat"), stop_seconds=10),
            Child("web", web, _environment("web"), stop_seconds=30),
        ]

    def _is_ready(self) -> bool:
        with suppress(OSError), urllib.request.urlopen(f"{self._url}/readyz", timeout=1) as answer:  # noqa: S310
            return bool(answer.status == 200)
        return False

    def _revive_engines(self) -> None:
        """An engine that fell is started again on its data; the roles reconnect by themselves."""
        for place, engine in enumerate(self._engines):
            if engine.process.poll() is None or self._asked_to_stop:
                continue
            _say(f"{engine.name} ended with {engine.process.returncode}; starting it again (log: {engine.log})")
            self._engines[place] = _start_postgres() if engine.name == "PostgreSQL" else _start_valkey()

    def _stop(self) -> None:
        if self._supervisor is not None or self._engines:
            _say("stopping …")
        if self._supervisor is not None:
            self._supervisor.stop()
            self._supervisor.stop_all()
        for engine in reversed(self._engines):
            engine.stop()
        if self._supervisor is not None or self._engines:
            _say("stopped")


def _start_postgres() -> Engine:
    return embedded.start_postgres(settings.HOME / "postgres", env.socket_directory())


def _start_valkey() -> Engine:
    return embedded.start_valkey(settings.HOME / "valkey", env.socket_directory())


def _environment(role: str) -> dict[str, str]:
    """A child's environment: its role, one home, unbuffered output; a quiet log unless asked otherwise."""
    environment = {
        **os.environ,
        "PUSHSAAS_ROLE": role,
        "PUSHSAAS_HOME": str(settings.HOME),
        "PYTHONUNBUFFERED": "1",
        "REMAP_SIGTERM": "SIGQUIT",  # Celery: an orderly end that still hands running tasks back after a while
    }
    environment.setdefault("PUSHSAAS_LOG_LEVEL", "WARNING")
    return environment


def _say(text: str) -> None:
    print(f"pushsaas: {text}", flush=True)


def _pass_on(name: str, line: str) -> None:
    sys.stdout.write(f"{name:>8} | {line}\n")
    sys.stdout.flush()
