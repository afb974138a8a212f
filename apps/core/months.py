"""Calendar months, of which tables that grow with time are partitioned. Pure."""

from __future__ import annotations

from datetime import date, datetime, timedelta

_MONTHS_AHEAD = 3


def month_of(instant: datetime | date) -> date:
    """Its first day."""
    return date(instant.year, instant.month, 1)


def months_ahead(today: date) -> list[date]:
    """This month and the next ones, for which partitions are made before anybody needs them."""
    months = [month_of(today)]
    for _step in range(_MONTHS_AHEAD):
        months.append(month_of(months[-1] + timedelta(days=32)))
    return months


def months_before(today: date, count: int) -> date:
    """The first day of the month that many months ago."""
    year, month = divmod(today.year * 12 + today.month - 1 - count, 12)
    return date(year, month + 1, 1)
