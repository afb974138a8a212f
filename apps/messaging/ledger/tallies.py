"""Sums of deliveries: added up as things happen, written once per slice, folded by a tick.

They are written in the transaction that changes the ledger, so their sum is the ledger's. Nobody ever waits for a row
of them: writers only add, and the tick alone puts rows together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection

from apps.tenants.scope import CrossTenantRole, all_tenants

#: Rows a message may have before they are folded, and messages folded per tick.
_CROWDED, _FOLDED = 16, 500

_WRITE = """
INSERT INTO messaging_deliverytally
    (tenant_id, message_id, kind, reason, variant, route, language, hour, quantity)
SELECT %s, %s, * FROM unnest(
    %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::bigint[]
)
"""

_FOLD = """
WITH crowded AS (
    SELECT tenant_id, message_id FROM {table} WHERE NOT is_folded
    GROUP BY tenant_id, message_id HAVING count(*) > %(crowded)s LIMIT %(messages)s
), held AS (
    SELECT tally.id FROM {table} tally
    JOIN crowded ON crowded.tenant_id = tally.tenant_id AND crowded.message_id = tally.message_id
    WHERE NOT tally.is_folded FOR UPDATE OF tally SKIP LOCKED
), taken AS (
    DELETE FROM {table} tally USING held WHERE tally.id = held.id RETURNING tally.*
)
INSERT INTO {table} AS kept (tenant_id, message_id, {keys}, {sums}, is_folded)
SELECT tenant_id, message_id, {keys}, {added}, true FROM taken
GROUP BY tenant_id, message_id, {keys} ORDER BY message_id, {keys}
ON CONFLICT (message_id, {keys}) WHERE is_folded DO UPDATE SET {raised}
"""


class Tally:
    """What happens to deliveries of one message, until it is written."""

    def __init__(self, tenant_id: int, message_id: int) -> None:
        self._owner = tenant_id, message_id
        self._cells: Counter[tuple[Any, ...]] = Counter()

    def add(
        self, kind: str, languages: Iterable[str], *, route: str, at: datetime, variant: str = "", reason: str = "",
        times: int = 1,
    ) -> None:  # fmt: skip
        """One delivery for each of the people, told by their languages. times: so many of each; -1 takes one back."""
        hour = at.replace(minute=0, second=0, microsecond=0)
        for language, quantity in Counter(languages).items():
            self._cells[kind, reason, variant, route, language, hour] += times * quantity

    def write(self) -> None:
        """In the transaction that changes the ledger."""
        if not self._cells:
            return
        columns = [list(column) for column in zip(*self._cells, strict=True)]
        with connection.cursor() as cursor:
            cursor.execute(_WRITE, [*self._owner, *columns, list(self._cells.values())])


def fold_tallies() -> int:
    """Adds up the sums of messages that have many rows of them. Answers how many rows were folded into. Opens its own
    scope; two at once fold different rows."""
    return _fold("messaging_receipttally", "kind, currency, variant, route, language, hour", ("quantity", "amount")) + (
        _fold("messaging_deliverytally", "kind, reason, variant, route, language, hour", ("quantity",))
    )


def _fold(table: str, keys: str, sums: tuple[str, ...]) -> int:
    statement = _FOLD.format(
        table=table, keys=keys, sums=", ".join(sums), added=", ".join(f"sum({name})" for name in sums),
        raised=", ".join(f"{name} = kept.{name} + excluded.{name}" for name in sums),
    )  # fmt: skip
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        cursor.execute(statement, {"crowded": _CROWDED, "messages": _FOLDED})
        folded: int = cursor.rowcount
    return folded
