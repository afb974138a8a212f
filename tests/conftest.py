"""Session-wide engines and the fixtures every test may use.

Each pytest process gets its own PostgreSQL and Valkey on Unix sockets below a temporary PUSHSAAS_HOME, so that parallel
workers share nothing. Tests run as `pushsaas_app`, the role that serves: row-level security is on in every one of them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connections
from django.test import TransactionTestCase
from hypothesis import settings as hypothesis_settings
from pytest_socket import socket_allow_hosts

from apps.core import embedded, valkey
from tests import clusters

pytest_plugins = ["tests.fixtures", "tests.live"]

# A build's verdict must not depend on chance: in CI the generated cases are the same every time, elsewhere always new.
hypothesis_settings.register_profile("repeatable", derandomize=True)
if os.environ.get("CI"):
    hypothesis_settings.load_profile("repeatable")

#: Durability is not what tests measure; the fault tests start servers of their own with fsync on.
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "64MB"}


def pytest_runtest_setup() -> None:
    socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)


@pytest.fixture(scope="session")
def home() -> Path:
    return Path(settings.HOME)


@pytest.fixture(scope="session")
def engines(home: Path, django_db_blocker: pytest.FixtureRequest) -> Iterator[None]:
    from pushsaas import env

    data = home / "postgres"
    if not clusters.restore(data, env.database().name):
        with django_db_blocker.unblock():  # type: ignore[attr-defined]
            _prepare(data, env.socket_directory())
        clusters.keep(data, env.database().name)
    started = [
        embedded.start_postgres(data, env.socket_directory(), settings=_FAST),
        embedded.start_valkey(home / "valkey", env.socket_directory(), settings={"appendonly": "no"}),
    ]
    yield
    for engine in reversed(started):
        engine.stop()
    shutil.rmtree(home, ignore_errors=True)
    shutil.rmtree(env.socket_directory(), ignore_errors=True)


def _prepare(data: Path, sockets: Path) -> None:
    """Our roles make the database, the owner migrates it."""
    from apps.operations.database import prepare_database

    engine = embedded.start_postgres(data, sockets, settings=_FAST)
    prepare_database(verbosity=0)
    connections.close_all()
    engine.stop()


@pytest.fixture(scope="session")
def django_db_setup(engines: None, django_db_blocker: pytest.FixtureRequest) -> Iterator[None]:
    """Replaces pytest-django's: the database is prepared, and the tests serve."""
    yield
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        connections.close_all()


def _empty_every_table(self: TransactionTestCase) -> None:
    """A transactional test's clean-up. The serving role may not TRUNCATE, so the server's first role does."""
    from apps.operations.database import connect_as_admin

    with connect_as_admin(settings.DATABASES["default"]["NAME"]) as admin:
        rows = admin.execute(
            "SELECT format('%I', relname) FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition "
            "AND relnamespace = 'public'::regnamespace AND relname NOT IN ('django_migrations', 'django_content_type')"
        ).fetchall()
        admin.execute("TRUNCATE " + ", ".join(row[0] for row in rows) + " RESTART IDENTITY CASCADE")


TransactionTestCase._fixture_teardown = _empty_every_table  # type: ignore[method-assign]


@pytest.fixture
def region() -> str:
    return settings.HOME_REGION


@pytest.fixture
def clean_valkey(engines: None, region: str) -> None:
    """An empty Valkey before the test."""
    valkey.connect(region).flushall()
