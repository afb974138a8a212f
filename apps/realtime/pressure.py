"""Is this process still well enough to take newcomers? Refusing them in time is what keeps the others served.

Two signs, beside the fixed number of connections: the event loop comes late again and again, or memory passes a bound.
"""

from __future__ import annotations

import psutil
from django.conf import settings

from apps.realtime import metrics

#: How often `beat` is called, in seconds.
INTERVAL = 0.25
#: So many late beats in a row are a state; one is a collection, or a machine that was suspended.
LATE_IN_A_ROW = 3


class Pressure:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._late = 0
        self._process = psutil.Process()
        self._is_full = False

    def beat(self, late: float) -> None:
        """late: seconds between when the loop should have come here and when it did."""
        metrics.LOOP_LAG.set(late)
        self._late = self._late + 1 if late > settings.GATEWAY_MAX_LOOP_LAG else 0
        bound = settings.GATEWAY_MAX_MEMORY * 1024 * 1024
        self._is_full = bool(bound) and self._process.memory_info().rss > bound

    @property
    def is_too_high(self) -> bool:
        return self._is_full or self._late >= LATE_IN_A_ROW
