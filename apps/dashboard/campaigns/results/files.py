"""Results as files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from apps.campaigns.rates import BASES, rate_of
from apps.core.downloads import BYTE_ORDER_MARK, csv_text
from apps.messaging.ledger.results import Key
from apps.messaging.ledger.states import Counts

_COUNTS = (
    "planned", "suppressed", "attempted", "accepted", "failed", "unknown", "received", "opened", "clicked", "dismissed",
    "converted",
)  # fmt: skip
#: Rows written at once.
_BATCH = 500


def breakdown_csv(by: str, rows: Mapping[Key, Counts]) -> Iterator[str]:
    """A row per key. Rates are shares of what their name says; hours are in UTC; revenue has a column per currency."""
    currencies = sorted({currency for counts in rows.values() for currency in counts.revenue})
    rates = [f"{step}_of_{base}" for step, base in BASES.items()]
    yield BYTE_ORDER_MARK + csv_text([[by, *_COUNTS, *rates, *(f"revenue_{currency}" for currency in currencies)]])
    pairs = list(rows.items())
    for start in range(0, len(pairs), _BATCH):
        yield csv_text(_row(key, counts, currencies) for key, counts in pairs[start : start + _BATCH])


def _row(key: Key, counts: Counts, currencies: Sequence[str]) -> list[Any]:
    name = key.isoformat() if isinstance(key, datetime) else key or ""
    shares = [rate_of(counts, step) for step in BASES]
    written = [None if share is None else f"{share:.6f}" for share in shares]
    return [
        name, *(getattr(counts, column) for column in _COUNTS), *written,
        *(str(counts.revenue.get(currency, "")) for currency in currencies),
    ]  # fmt: skip
