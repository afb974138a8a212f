"""Row-level security on every tenant-owned table, seen as the role that serves. New tables join by themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from django.conf import settings
from django.db import ProgrammingError, connection, transaction

from apps.operations.database import connect_as_admin
from apps.tenants.models import Tenant
from apps.tenants.scope import CrossTenantRole, ScopeError, all_tenants, require_scope, tenant_scope
from tests.tenants.any_row import Connection, bare_database, insert

pytestmark = pytest.mark.django_db

SERVING = ("pushsaas_app", "pushsaas_worker")
SETTING = """( SELECT (NULLIF(current_setting('app.tenant'::text, true), ''::text))::bigint AS "nullif")"""
OURS, THEIRS = 990_001, 990_002
#: Tables that belong to no tenant, each for a reason somebody looked at.
REVIEWED = {
    # Django's own
    "django_migrations", "django_content_type", "django_session", "auth_permission", "auth_group",
    "auth_group_permissions",
    # People sign in before a tenant is known and may belong to several
    "accounts_user", "accounts_user_groups", "accounts_user_user_permissions", "accounts_authenticator",
    "accounts_recoverycode", "accounts_session", "accounts_outgoingmail",
    "axes_accessattempt", "axes_accessattemptexpiration", "axes_accessfailurelog", "axes_accesslog",
    # The operator's price list and taxes, the same for all; invoice numbers have no gaps over all tenants
    "billing_plan", "billing_planversion", "billing_taxrate", "billing_invoicecounter",
    # A gateway's records are of many tenants; what matches no tenant has none
    "billing_usagesource", "billing_unmatchedusage",
    # What operators do, of which the tenant's part stands in its own audit too; the admin's own log stays empty
    "operations_operatorentry", "django_admin_log",
    # A payment processor's notice comes before any tenant is known
    "billing_processornotice",
}  # fmt: skip


def tables(admin: Connection, *, with_tenant: bool) -> list[str]:
    """All tables but partitions, by whether they have a tenant."""
    rows = admin.execute(
        "SELECT relname, relname = 'tenants_tenant' OR EXISTS (SELECT 1 FROM pg_attribute "
        "WHERE attrelid = pg_class.oid AND attname = 'tenant_id' AND NOT attisdropped) FROM pg_class "
        "WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace ORDER BY relname"
    ).fetchall()
    return [name for name, has_tenant in rows if has_tenant == with_tenant]


def tenant_column(table: str) -> str:
    return "id" if table == "tenants_tenant" else "tenant_id"


@pytest.fixture
def admin() -> Iterator[Connection]:
    with connect_as_admin(settings.DATABASES["default"]["NAME"]) as connected:
        yield connected


@pytest.fixture
def bare() -> Iterator[Connection]:
    """Every tenant-owned table with one row of ours and one of theirs; nothing stays."""
    with bare_database() as connected:
        for table in tables(connected, with_tenant=True):
            for tenant_id in (OURS, THEIRS):
                insert(connected, table, **{tenant_column(table): tenant_id})
        yield connected


def serve_as(bare: Connection, role: str, tenant_id: int | None) -> None:
    bare.execute("RESET ROLE")
    bare.execute("SELECT set_config('app.tenant', %s, true)", [str(tenant_id or "")])
    bare.execute(f"SET LOCAL ROLE {role}")


def count_or_refusal(bare: Connection, statement: str) -> int | str:
    """How many rows it touched, or the word `refused` when the role may not run it at all. Leaves no trace."""
    bare.execute("SAVEPOINT attempt")
    try:
        return bare.execute(statement).rowcount
    except psycopg.errors.InsufficientPrivilege:
        return "refused"
    finally:
        bare.execute("ROLLBACK TO SAVEPOINT attempt")


def insert_or_refusal(bare: Connection, table: str, tenant_id: int) -> str:
    bare.execute("SAVEPOINT attempt")
    try:
        insert(bare, table, **{tenant_column(table): tenant_id})
    except psycopg.errors.InsufficientPrivilege:
        return "refused"
    finally:
        bare.execute("ROLLBACK TO SAVEPOINT attempt")
    return "inserted"


def by_table(bare: Connection, observe: Callable[[str], object]) -> dict[str, object]:
    return {table: observe(table) for table in tables(bare, with_tenant=True)}


def test_tests_run_as_a_role_that_policies_bind() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == ("pushsaas_app", False, False)


def test_the_serving_role_may_not_borrow_dispatch() -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        connection.cursor().execute("SET LOCAL ROLE pushsaas_dispatch")


def test_every_table_without_a_tenant_was_reviewed(admin: Connection) -> None:
    assert set(tables(admin, with_tenant=False)) - REVIEWED == set()


def test_every_tenant_owned_table_has_its_policy_enabled_and_forced(admin: Connection) -> None:
    def protection(table: str) -> object:
        enabled, forced = admin.execute(
            "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = %s::regclass", [table]
        ).fetchone() or (False, False)
        check = f"({tenant_column(table)} = {SETTING})"
        policy = admin.execute(
            "SELECT qual, with_check FROM pg_policies WHERE tablename = %s AND policyname = 'tenant_isolation' "
            "AND cmd = 'ALL' AND permissive = 'PERMISSIVE' AND roles = '{public}'",
            [table],
        ).fetchone()
        squeezed = tuple(" ".join(text.split()) for text in policy or ())
        return enabled and forced and squeezed == (check, check)

    assert {table for table, whole in by_table(admin, protection).items() if not whole} == set()


def test_no_policy_opens_more_than_the_borrowed_roles_need(admin: Connection) -> None:
    rows = admin.execute("SELECT DISTINCT policyname, roles::text, cmd FROM pg_policies").fetchall()
    assert set(rows) <= {
        ("tenant_isolation", "{public}", "ALL"),
        ("registry_reads", "{pushsaas_registry}", "SELECT"),
        ("dispatch_works", "{pushsaas_dispatch}", "ALL"),
        ("operator_reads", "{pushsaas_operator}", "SELECT"),
    }


def test_nobody_who_serves_may_truncate_or_reach_a_partition_past_its_parents_policy(admin: Connection) -> None:
    rows = admin.execute(
        "SELECT relname, role FROM pg_class, unnest(%s::text[]) role WHERE relnamespace = 'public'::regnamespace "
        "AND relkind IN ('r', 'p') AND (has_table_privilege(role, pg_class.oid, 'TRUNCATE') OR (relispartition "
        "AND NOT relforcerowsecurity AND has_table_privilege(role, pg_class.oid, 'SELECT, INSERT, UPDATE, DELETE')))",
        [[*SERVING, *CrossTenantRole]],
    ).fetchall()
    assert rows == []


@pytest.mark.parametrize("role", SERVING)
def test_without_a_tenant_nothing_is_seen_and_nothing_gets_in(bare: Connection, role: str) -> None:
    serve_as(bare, role, None)
    seen = by_table(bare, lambda table: count_or_refusal(bare, f'SELECT 1 FROM "{table}"'))
    assert set(seen.values()) == {0}
    assert set(by_table(bare, lambda table: insert_or_refusal(bare, table, OURS)).values()) == {"refused"}


@pytest.mark.parametrize("role", SERVING)
def test_a_tenant_sees_its_own_row_only(bare: Connection, role: str) -> None:
    serve_as(bare, role, OURS)
    seen = by_table(
        bare, lambda table: bare.execute(f'SELECT array_agg({tenant_column(table)}) FROM "{table}"').fetchone()
    )
    assert {table: row for table, row in seen.items() if row != ([OURS],)} == {}


@pytest.mark.parametrize("role", SERVING)
def test_the_neighbours_row_can_be_neither_changed_nor_deleted(bare: Connection, role: str) -> None:
    serve_as(bare, role, OURS)
    for statement in ('UPDATE "{0}" SET {1} = {1} WHERE {1} = {2}', 'DELETE FROM "{0}" WHERE {1} = {2}'):
        touched = by_table(
            bare,
            lambda table: count_or_refusal(bare, statement.format(table, tenant_column(table), THEIRS)),  # noqa: B023
        )
        assert {table: rows for table, rows in touched.items() if rows not in (0, "refused")} == {}


@pytest.mark.parametrize("role", SERVING)
def test_no_row_can_be_put_into_or_moved_to_the_neighbour(bare: Connection, role: str) -> None:
    serve_as(bare, role, OURS)
    inserted = by_table(bare, lambda table: insert_or_refusal(bare, table, THEIRS))
    assert set(inserted.values()) == {"refused"}
    moved = by_table(
        bare,
        lambda table: count_or_refusal(bare, f'UPDATE "{table}" SET {tenant_column(table)} = {THEIRS}'),
    )
    assert set(moved.values()) == {"refused"}


def tenant_and_user() -> tuple[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(current_setting('app.tenant', true), ''), current_user")
        return cursor.fetchone()


NOBODY = ("", "pushsaas_app")


@pytest.mark.django_db(transaction=True)
def test_no_tenant_is_left_after_a_commit(tenant: Tenant) -> None:
    with tenant_scope(tenant):
        assert tenant_and_user() == (str(tenant.pk), "pushsaas_app")
    assert tenant_and_user() == NOBODY
    with transaction.atomic():
        assert not connection.needs_rollback
        assert tenant_and_user() == NOBODY


@pytest.mark.django_db(transaction=True)
def test_no_tenant_is_left_after_an_error(tenant: Tenant) -> None:
    with pytest.raises(ZeroDivisionError), tenant_scope(tenant):
        1 / 0  # noqa: B018
    assert tenant_and_user() == NOBODY
    with pytest.raises(ProgrammingError), tenant_scope(tenant):
        connection.cursor().execute("SELECT nonsense")
    assert tenant_and_user() == NOBODY


@pytest.mark.django_db(transaction=True)
def test_no_tenant_is_left_after_a_rollback_on_purpose(tenant: Tenant) -> None:
    with tenant_scope(tenant):
        transaction.set_rollback(True)
    assert tenant_and_user() == NOBODY


@pytest.mark.django_db(transaction=True)
def test_no_borrowed_role_is_left(tenant: Tenant) -> None:
    with all_tenants(CrossTenantRole.REGISTRY):
        assert tenant_and_user() == ("", "pushsaas_registry")
    assert tenant_and_user() == NOBODY
    with pytest.raises(ZeroDivisionError), all_tenants(CrossTenantRole.REGISTRY):
        1 / 0  # noqa: B018
    assert tenant_and_user() == NOBODY


@pytest.mark.django_db(transaction=True)
def test_a_reused_connection_serves_one_tenant_after_the_other(tenant: Tenant, other_tenant: Tenant) -> None:
    backends = set()
    for served in (tenant, other_tenant, tenant):
        with tenant_scope(served), connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            backends.add(cursor.fetchone())
            assert [found.pk for found in Tenant.objects.get_queryset()] == [served.pk]
    assert len(backends) == 1


def test_a_scope_inside_an_outer_transaction_ends_with_itself(tenant: Tenant) -> None:
    with transaction.atomic():
        with tenant_scope(tenant):
            pass
        assert tenant_and_user() == NOBODY
        with all_tenants(CrossTenantRole.REGISTRY):
            pass
        assert tenant_and_user() == NOBODY


def test_a_query_outside_a_scope_is_refused(tenant: Tenant) -> None:
    with pytest.raises(ScopeError):
        Tenant.objects.get_queryset()
    with pytest.raises(ScopeError):
        require_scope()


def test_a_scope_inside_another_tenants_scope_is_refused(tenant: Tenant, other_tenant: Tenant) -> None:
    with tenant_scope(tenant):
        with tenant_scope(tenant):
            pass
        with pytest.raises(ScopeError), tenant_scope(other_tenant):
            pass
        with pytest.raises(ScopeError), all_tenants(CrossTenantRole.REGISTRY):
            pass
