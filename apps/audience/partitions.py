"""Monthly partitions of the events: made ahead of time, dropped when they are old. See migration 0004."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from django.db import connection

from apps.core import clock
from apps.core.months import months_ahead, months_before


def open_months(months: Iterable[date]) -> None:
    """Makes the partitions of these months that do not exist yet."""
    with connection.cursor() as cursor:
        for month in sorted(set(months)):
            cursor.execute("SELECT audience_open_month(%s)", [month])


def open_months_ahead() -> None:
    open_months(months_ahead(clock.now().date()))


def drop_old_months(*, kept: int) -> int:
    """Drops what ended more than `kept` months ago, and returns how many months that were. Only dispatch may."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT audience_drop_months_before(%s)", [months_before(clock.now().date(), kept)])
        (dropped,) = cursor.fetchone() or (0,)
    return int(dropped)
