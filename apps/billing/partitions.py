"""Monthly partitions of the usage tables, made ahead of time.

Attaching a partition locks its parent for a moment, so the tick makes next months' while nobody waits; the write path
only makes the month it needs when it is missing, as after a long sleep of the installation.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from django.db import connection

from apps.core import clock

_MONTHS_AHEAD = 3


def month_of(instant: datetime | date) -> date:
    return date(instant.year, instant.month, 1)


def months_ahead(today: date) -> list[date]:
    """This month and the next ones."""
    months = [month_of(today)]
    for _step in range(_MONTHS_AHEAD):
        months.append(month_of(months[-1] + timedelta(days=32)))
    return months


def open_months(months: Iterable[date]) -> None:
    """Makes the partitions of these months that do not exist yet."""
    with connection.cursor() as cursor:
        for month in sorted(set(months)):
            cursor.execute("SELECT billing_open_month(%s)", [month])


def open_months_ahead() -> None:
    open_months(months_ahead(clock.now().date()))
