"""The database roles: who owns the tables, who serves, who may look across tenants.

| role | may |
|---|---|
| pushsaas_owner | owns the tables and migrates; FORCE binds it to the policies too |
| pushsaas_app, pushsaas_worker | serve; bound by every policy |
| pushsaas_registry, pushsaas_dispatch | cannot log in; borrowed by `all_tenants()` |
| pushsaas_operator | cannot log in; borrowed by the operators' pages, reads what they show and changes nothing |
| pushsaas_maintenance | bypasses the policies: dumps, backfills, checks. Never serves |
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import psycopg
from psycopg import sql

LOGIN_ROLES = ("pushsaas_owner", "pushsaas_app", "pushsaas_worker", "pushsaas_maintenance")
_BORROWED_BY = {
    "pushsaas_registry": ("pushsaas_app", "pushsaas_worker", "pushsaas_dispatch"),
    "pushsaas_dispatch": ("pushsaas_worker",),
    "pushsaas_operator": ("pushsaas_app",),
}


def ensure_roles(admin: psycopg.Connection[tuple[object, ...]], password_of: Callable[[str], str]) -> None:
    """Creates what is missing and resets the passwords; harmless to repeat. `admin` may create roles (autocommit)."""
    for role in LOGIN_ROLES:
        _create(admin, role, "LOGIN")
        password = password_of(role)
        if password:
            admin.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(password)))
    # A managed PostgreSQL may keep this to itself; serving does not need the role.
    with suppress(psycopg.errors.InsufficientPrivilege):
        admin.execute("ALTER ROLE pushsaas_maintenance BYPASSRLS")
    for role in _BORROWED_BY:
        _create(admin, role, "NOLOGIN")
    for role, borrowers in _BORROWED_BY.items():
        for borrower in borrowers:
            # A borrowing login must SET ROLE on purpose; only dispatch reads the registry without asking.
            inherit = "TRUE" if borrower == "pushsaas_dispatch" else "FALSE"
            admin.execute(
                sql.SQL("GRANT {} TO {} WITH INHERIT " + inherit + ", SET TRUE").format(
                    sql.Identifier(role), sql.Identifier(borrower)
                )
            )
    admin.execute("GRANT pushsaas_owner TO CURRENT_USER")


def _create(admin: psycopg.Connection[tuple[object, ...]], role: str, kind: str) -> None:
    exists = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    if not exists:
        admin.execute(sql.SQL("CREATE ROLE {} " + kind).format(sql.Identifier(role)))


def ensure_database(admin: psycopg.Connection[tuple[object, ...]], name: str) -> None:
    exists = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
    if not exists:
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER pushsaas_owner").format(sql.Identifier(name)))


def grant_defaults(admin: psycopg.Connection[tuple[object, ...]]) -> None:
    """In the database itself: what each role gets on tables that pushsaas_owner makes from now on."""
    admin.execute("ALTER SCHEMA public OWNER TO pushsaas_owner")
    admin.execute(
        "GRANT USAGE ON SCHEMA public TO pushsaas_app, pushsaas_worker, pushsaas_registry, pushsaas_dispatch, "
        "pushsaas_operator, pushsaas_maintenance"
    )
    for kind, rights in (("TABLES", "SELECT, INSERT, UPDATE, DELETE"), ("SEQUENCES", "USAGE, SELECT")):
        admin.execute(
            f"ALTER DEFAULT PRIVILEGES FOR ROLE pushsaas_owner IN SCHEMA public GRANT {rights} ON {kind} "
            "TO pushsaas_app, pushsaas_worker, pushsaas_maintenance"
        )
    admin.execute(
        "ALTER DEFAULT PRIVILEGES FOR ROLE pushsaas_owner IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES "
        "TO pushsaas_dispatch"
    )
