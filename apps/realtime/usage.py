"""Usage records on their way to billing: added to a stream, kept, and added again until billing has acknowledged them.

Billing counts a record once, by (node, interval, seq); so a repeat changes nothing, and a wiped Valkey loses nothing
that this process still remembers.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import asdict, dataclass

import orjson

from apps.realtime import keys
from apps.realtime.counters import MINUTE, Counters
from apps.realtime.link import Lines

INTERVAL = 2
REPEAT_AFTER = 15.0
#: Records kept for repeating; about a day of one application. The oldest go first, with a counter (see `lost`).
MAX_KEPT = 43_200
#: How long the hour's totals stay for billing to compare.
TOLD_SECONDS = 3 * 3600
_HOUR = 3600


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """interval: Unix seconds of its start. seq: 1, 2, … per node. stored: publications that a log keeps.
    connection_seconds: a multiple of 60; the rest is carried on to a later record."""

    tenant_id: int
    application_id: str
    node: str
    interval: int
    seq: int
    published: int
    delivered: int
    bytes: int
    dropped: int
    peak: int
    connection_seconds: int
    stored: int = 0

    def json(self) -> str:
        return orjson.dumps(asdict(self)).decode()


@dataclass(slots=True)
class _Kept:
    record: UsageRecord
    added_at: float


@dataclass(slots=True)
class _Told:
    """One tenant's hour, counted apart from the records: what billing must have arrived at. seq: of its last record."""

    seq: int = 0
    published: int = 0
    delivered: int = 0
    is_new: bool = False

    def add(self, record: UsageRecord) -> None:
        self.seq, self.is_new = record.seq, True
        self.published += record.published
        self.delivered += record.delivered

    def __str__(self) -> str:
        return f"{self.seq}:{self.published}:{self.delivered}"


class UsageLog:
    """node: of this process's life, and unlike the cluster identity never changed, since `seq` counts under it."""

    def __init__(self, lines: Lines, node: str) -> None:
        self._lines, self._node = lines, node
        self._seq = 0
        self._kept: deque[_Kept] = deque()
        self._told: dict[tuple[int, int], _Told] = {}
        self.lost = 0

    def note(self, tenant_id: int, application_id: str, counters: Counters) -> None:
        """Makes a record of what was counted since the last one."""
        self._seq += 1
        record = UsageRecord(
            tenant_id, application_id, self._node, int(time.time()) // INTERVAL * INTERVAL, self._seq,
            counters.published, counters.delivered, counters.bytes, counters.dropped, counters.peak,
            int(counters.connection_seconds) // MINUTE * MINUTE, counters.stored,
        )  # fmt: skip
        self._told.setdefault((record.interval // _HOUR, tenant_id), _Told()).add(record)
        self._kept.append(_Kept(record, -REPEAT_AFTER))
        if len(self._kept) > MAX_KEPT:
            self._kept.popleft()
            self.lost += 1

    async def flush(self) -> None:
        """Adds what is new or long unacknowledged, then forgets what billing has. Raises LinkLost, CommandFailed."""
        if not self._kept:
            return
        now = time.monotonic()
        due = [kept for kept in self._kept if now - kept.added_at >= REPEAT_AFTER]
        replies = [self._lines.call("XADD", keys.USAGE, "*", "r", kept.record.json()) for kept in due]
        for kept, reply in zip(due, replies, strict=True):
            await reply
            kept.added_at = now
        await self._tell()
        acked = int(await self._lines.call("HGET", keys.USAGE_ACKED, self._node) or 0)
        while self._kept and self._kept[0].record.seq <= acked:
            self._kept.popleft()

    async def _tell(self) -> None:
        """Leaves the totals that changed. They only grow, so a repeat or a lost answer does no harm."""
        changed = [(key, told) for key, told in self._told.items() if told.is_new]
        replies = []
        for (hour, tenant_id), told in changed:
            told.is_new = False
            replies.append(self._lines.call("HSET", keys.usage_told(hour), f"{self._node}:{tenant_id}", str(told)))
        replies += [
            self._lines.call("EXPIRE", keys.usage_told(hour), TOLD_SECONDS)
            for hour in {hour for (hour, _), _ in changed}
        ]
        for reply in replies:
            await reply
        now = int(time.time()) // _HOUR
        self._told = {key: told for key, told in self._told.items() if key[0] >= now - 1}
