"""The tenancy scope: which tenant the current transaction may see.

`tenant_scope` opens a transaction and tells PostgreSQL the tenant for just that transaction; row-level security
(rls.py) does the rest. `all_tenants` is the only way across tenants: it borrows a database role whose policies open a
short list of tables. Every use of it is counted in a test.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from django.db import connections, transaction

if TYPE_CHECKING:
    from apps.tenants.models import Tenant


class CrossTenantRole(StrEnum):
    """Borrowed database roles. What each may touch is declared table by table in the migrations.

    REGISTRY reads what identifies a caller before a tenant is known: tenants, applications, keys, memberships.
    DISPATCH claims due work of all tenants; only the worker's login may borrow it.
    OPERATOR reads what the operators' pages show: plans, bills, books, usage, audit. It changes nothing.
    """

    REGISTRY = "pushsaas_registry"
    DISPATCH = "pushsaas_dispatch"
    OPERATOR = "pushsaas_operator"


class ScopeError(RuntimeError):
    """A programming error: a tenant-owned query outside a scope, or a scope inside another one."""


@dataclass(frozen=True, slots=True)
class _Scope:
    tenant_id: int | None
    role: CrossTenantRole | None


_current: ContextVar[_Scope | None] = ContextVar("tenancy_scope", default=None)


def current_tenant_id() -> int:
    """The tenant of the open scope. Raises ScopeError when there is none."""
    scope = _current.get()
    if scope is None or scope.tenant_id is None:
        raise ScopeError("no tenant scope is open")
    return scope.tenant_id


def require_scope() -> None:
    if _current.get() is None:
        raise ScopeError("a tenant-owned table was queried outside tenant_scope() or all_tenants()")


@contextmanager
def tenant_scope(tenant: Tenant | int, *, using: str = "default") -> Iterator[None]:
    """A transaction that sees one tenant. Entering the same tenant again is free; another one is refused."""
    tenant_id = tenant if isinstance(tenant, int) else tenant.pk
    outer = _current.get()
    if outer is not None:
        if outer.tenant_id != tenant_id:
            raise ScopeError(f"scope of tenant {tenant_id} inside {outer}")
        with transaction.atomic(using=using):
            yield
        return
    with _entered(_Scope(tenant_id, None), "SELECT set_config('app.tenant', %s, true)", [str(tenant_id)],
                  "SELECT set_config('app.tenant', '', true)", using):  # fmt: skip
        yield


@contextmanager
def all_tenants(role: CrossTenantRole, *, using: str = "default") -> Iterator[None]:
    """A transaction under a borrowed role that sees the same few tables of every tenant."""
    outer = _current.get()
    if outer is not None:
        raise ScopeError(f"all_tenants({role}) inside {outer}")
    with _entered(_Scope(None, role), f"SET LOCAL ROLE {role.value}", [], "SET LOCAL ROLE NONE", using):
        yield


@contextmanager
def _entered(scope: _Scope, enter_sql: str, arguments: list[str], leave_sql: str, using: str) -> Iterator[None]:
    goes_on_after_us = connections[using].in_atomic_block
    with transaction.atomic(using=using):
        with connections[using].cursor() as cursor:
            cursor.execute(enter_sql, arguments)
        token = _current.set(scope)
        try:
            yield
        finally:
            _current.reset(token)
        # Reached only without an error (a rollback restores the setting by itself, and so does our own commit). It
        # matters when the transaction goes on after us, as inside a test's own transaction.
        if goes_on_after_us and not connections[using].needs_rollback:
            with connections[using].cursor() as cursor:
                cursor.execute(leave_sql)
