"""What part of what each count is. Pure.

A rate is nothing without its base, so both are named here once, for the page, the API and comparisons alike.
"""

from __future__ import annotations

from collections.abc import Mapping

from apps.messaging.ledger.states import Counts

#: A count -> the count that it is a part of. What people did is measured against what was accepted for them.
BASES: Mapping[str, str] = {
    "suppressed": "planned",
    "attempted": "planned",
    "accepted": "attempted",
    "failed": "attempted",
    "unknown": "attempted",
    "received": "accepted",
    "opened": "accepted",
    "clicked": "accepted",
    "converted": "accepted",
}


def rate_of(counts: Counts, step: str) -> float | None:
    """A share, 0.25 for a quarter; None of what has no base, or while there is nothing in it."""
    base = BASES.get(step)
    whole: int = getattr(counts, base) if base else 0
    return getattr(counts, step) / whole if whole else None
