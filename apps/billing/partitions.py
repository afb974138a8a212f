"""Monthly partitions of the usage tables, made ahead of time.

Attaching a partition locks its parent for a moment, so the tick makes next months' while nobody waits; the write path
only makes the month it needs when it is missing, as after a long sleep of the installation.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from django.db import connection

from apps.core import clock
from apps.core.months import months_ahead


def open_months(months: Iterable[date]) -> None:
    """Makes the partitions of these months that do not exist yet."""
    with connection.cursor() as cursor:
        for month in sorted(set(months)):
            cursor.execute("SELECT billing_open_month(%s)", [month])


def open_months_ahead() -> None:
    open_months(months_ahead(clock.now().date()))
