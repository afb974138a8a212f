"""May this process take traffic? Answers for /readyz; liveness needs no code beyond answering at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from apps.core import valkey


@dataclass(frozen=True, slots=True)
class Check:
    """name: stable, for machines. problem: empty when all is well."""

    name: str
    problem: str


class _Migrations:
    """Remembers the good answer: applied migrations do not go away while we run."""

    def __init__(self) -> None:
        self._applied = False

    def problem(self) -> str:
        if not self._applied:
            executor = MigrationExecutor(connection)
            missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
            if missing:
                return f"{len(missing)} migrations are not applied"
            self._applied = True
        return ""


_migrations = _Migrations()


def _postgresql() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return _migrations.problem()


def _valkey() -> str:
    valkey.connect(settings.HOME_REGION).ping()
    return ""


_PROBES: dict[str, Callable[[], str]] = {"postgresql": _postgresql, "valkey": _valkey}


def register_probe(name: str, probe: Callable[[], str]) -> None:
    """Adds a check to /readyz. probe: returns what is wrong, or an empty text."""
    _PROBES[name] = probe


def readiness() -> list[Check]:
    """Every check with its problem. A check that cannot be made is a problem, never an exception."""
    return [Check(name, _ask(probe)) for name, probe in _PROBES.items()]


def _ask(probe: Callable[[], str]) -> str:
    try:
        return probe()
    except (DatabaseError, redis.RedisError, OSError) as error:
        return type(error).__name__
