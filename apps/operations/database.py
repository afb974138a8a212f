"""Makes a PostgreSQL ready to serve: roles, database, migrations. Harmless to repeat, safe to run by two at once."""

from __future__ import annotations

from typing import Any

import psycopg
from django.conf import settings
from django.core.management import call_command

from apps.tenants import roles
from pushsaas import env

#: Any constant will do; it is taken by whoever prepares the database, so that two starts do not race.
_ADVISORY_LOCK = 7_264_001


def connect_as_admin(database: str | None = None) -> psycopg.Connection[Any]:
    """A connection of the role that made the server (or of `PUSHSAAS_DATABASE_URL`), in autocommit."""
    target = env.database()
    return psycopg.connect(
        host=target.host,
        port=target.port,
        user=target.user,
        password=target.password or None,
        dbname=database or ("postgres" if target.embedded else target.name),
        autocommit=True,
        connect_timeout=10,
        **target.options,  # type: ignore[arg-type]
    )


def _password_of(role: str) -> str:
    return "" if env.database().embedded else env.role_password(settings.SECRET_KEY, role)


def prepare_roles(name: str) -> None:
    with connect_as_admin() as admin:
        admin.execute("SELECT pg_advisory_lock(%s)", [_ADVISORY_LOCK])
        roles.ensure_roles(admin, _password_of)
        roles.ensure_database(admin, name)
        with connect_as_admin(name) as inside:
            roles.grant_defaults(inside)


def prepare_database(*, verbosity: int = 1) -> None:
    """Roles, database, grants, then migrations as the owner."""
    prepare_roles(env.database().name)
    with connect_as_admin() as admin:
        admin.execute("SELECT pg_advisory_lock(%s)", [_ADVISORY_LOCK])
        call_command("migrate", database="owner", interactive=False, verbosity=verbosity)
