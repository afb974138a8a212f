"""Row-level security as a migration operation. A table with a `tenant_id` says so in the migration that makes it."""

from __future__ import annotations

from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

#: The scalar sub-select is evaluated once per statement, not per row; NULLIF because a session that once had the
#: setting returns '' and not NULL.
_TENANT = "(SELECT NULLIF(current_setting('app.tenant', true), '')::bigint)"


class TenantPolicy(Operation):
    """Binds a table to the tenancy scope.

    table: database table. column: the tenant's id in it. registry: the role that identifies callers may read it.
    dispatch: the worker's cross-tenant role may read and change it. append_only: the serving roles may not change or
    delete rows.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(
        self,
        table: str,
        *,
        column: str = "tenant_id",
        registry: bool = False,
        dispatch: bool = False,
        append_only: bool = False,
    ) -> None:
        self.table, self.column = table, column
        self.registry, self.dispatch, self.append_only = registry, dispatch, append_only

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        given = {name: getattr(self, name) for name in ("registry", "dispatch", "append_only") if getattr(self, name)}
        if self.column != "tenant_id":
            given["column"] = self.column
        return type(self).__name__, [self.table], given

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Policies are not part of Django's model state."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        table, check = f'"{self.table}"', f'"{self.column}" = {_TENANT}'
        statements = [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
            f"CREATE POLICY tenant_isolation ON {table} USING ({check}) WITH CHECK ({check})",
        ]
        if self.registry:
            statements += [
                f"GRANT SELECT ON {table} TO pushsaas_registry",
                f"CREATE POLICY registry_reads ON {table} FOR SELECT TO pushsaas_registry USING (true)",
            ]
        if self.dispatch:
            statements += [
                f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO pushsaas_dispatch",
                f"CREATE POLICY dispatch_works ON {table} TO pushsaas_dispatch USING (true) WITH CHECK (true)",
            ]
        if self.append_only:
            statements.append(f"REVOKE UPDATE, DELETE ON {table} FROM pushsaas_app, pushsaas_worker")
        for statement in statements:
            schema_editor.execute(statement)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        for policy in ("tenant_isolation", "registry_reads", "dispatch_works"):
            schema_editor.execute(f'DROP POLICY IF EXISTS {policy} ON "{self.table}"')
        schema_editor.execute(f'ALTER TABLE "{self.table}" NO FORCE ROW LEVEL SECURITY')
        schema_editor.execute(f'ALTER TABLE "{self.table}" DISABLE ROW LEVEL SECURITY')

    def describe(self) -> str:
        return f"Row-level security on {self.table}"


class OperatorReads(Operation):
    """Lets the operators' role read a table: every tenant's rows of one with a policy, else just the table."""

    reduces_to_sql = True
    reversible = True

    def __init__(self, *tables: str, bound: bool = True) -> None:
        self.tables, self.bound = tables, bound

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__name__, list(self.tables), {} if self.bound else {"bound": False}

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Policies are not part of Django's model state."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        for table in self.tables:
            schema_editor.execute(f'GRANT SELECT ON "{table}" TO pushsaas_operator')
            if self.bound:
                schema_editor.execute(
                    f'CREATE POLICY operator_reads ON "{table}" FOR SELECT TO pushsaas_operator USING (true)'
                )

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        for table in self.tables:
            schema_editor.execute(f'DROP POLICY IF EXISTS operator_reads ON "{table}"')
            schema_editor.execute(f'REVOKE SELECT ON "{table}" FROM pushsaas_operator')  # noqa: S608  (our own names)

    def describe(self) -> str:
        return f"Operators read {', '.join(self.tables)}"
