"""Puts a row into any table, knowing only what the catalogue says of it. For tests that must reach every table.

Runs as the server's first role with triggers off, so foreign keys need no other rows, and without the tables' CHECK
constraints, so any value of the right type will do. Everything happens in a transaction that is rolled back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import psycopg
from django.conf import settings
from psycopg import sql

from apps.operations.database import connect_as_admin

Connection = psycopg.Connection[Any]

_numbers = count(1_000)
#: Type (of pg_type) -> an SQL expression of which {n} is a number that was not used before.
_VALUES = {
    "bool": "false",
    "int2": "{n} % 30000",
    "int4": "{n}",
    "int8": "{n}",
    "numeric": "1",
    "float8": "1",
    "text": "'{n}'",
    "varchar": "'{n}'",
    "date": "current_date",
    "timestamptz": "now()",
    "interval": "interval '{n} seconds'",
    "jsonb": "'{{}}'",
    "uuid": "gen_random_uuid()",
    "bytea": "'\\x00'",
    "inet": "'127.0.0.1'",
    "tstzrange": "tstzrange(to_timestamp({n}), to_timestamp({n} + 1), '[)')",
    "daterange": "daterange(date '2000-01-01' + {n}, date '2000-01-02' + {n}, '[)')",
}


@contextmanager
def bare_database() -> Iterator[Connection]:
    """A connection on which `insert` works into every table; nothing it does stays."""
    with connect_as_admin(settings.DATABASES["default"]["NAME"]) as connection:
        connection.execute("BEGIN")
        checks = connection.execute(
            "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'c' AND conislocal "
            "AND connamespace = 'public'::regnamespace"
        ).fetchall()
        for table, name in checks:
            connection.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        connection.execute("SET LOCAL session_replication_role = replica")
        yield connection
        connection.execute("ROLLBACK")


def insert(connection: Connection, table: str, **given: int) -> None:
    """A row of which only the given columns matter; every other one that must have a value gets any."""
    columns = connection.execute(
        "SELECT attname, typname, typcategory, atttypmod FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid "
        "WHERE attrelid = %s::regclass AND attnum > 0 AND attnotnull AND NOT atthasdef AND attidentity = '' "
        "AND NOT attisdropped",
        [table],
    ).fetchall()
    values = {name: _value(kind, category, modifier) for name, kind, category, modifier in columns}
    values.update({name: str(number) for name, number in given.items()})
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(map(sql.SQL, values.values())),  # type: ignore[arg-type]
        )
    )


def _value(kind: str, category: str, modifier: int) -> str:
    if category == "A":
        return "'{}'"
    value = _VALUES[kind].format(n=next(_numbers))
    # A varchar's modifier is its length and four bytes of header.
    return f"right({value}, {modifier - 4})" if kind == "varchar" and modifier > 0 else value
