"""What the data plane reports: its JSON records made into usage records, and how far a node has been counted. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from apps.billing.meters import CONNECTION_MINUTES, MESSAGES_DELIVERED, MESSAGES_PUBLISHED, MESSAGES_STORED
from apps.billing.records import MAX_QUANTITY, UsageRecordIn

#: How many early records of a node are remembered. One that is missing behind so many is given up: its node lost it.
MAX_AHEAD = 50_000
_LAST_SECOND = 4_102_444_800  # the year 2100


class Unreadable(ValueError):
    """Not a record of the data plane."""


@dataclass(frozen=True, slots=True)
class PlaneRecord:
    """Two seconds of one application on one node. interval: Unix seconds. seq: 1, 2, … per node."""

    tenant_id: int
    application_id: str
    node: str
    interval: int
    seq: int
    published: int
    delivered: int
    peak: int
    stored: int = 0
    connection_seconds: int = 0

    @classmethod
    def from_json(cls, raw: bytes) -> Self:
        """Raises Unreadable."""
        try:
            stored = json.loads(raw)
            names = ("tenant_id", "interval", "seq", "published", "delivered", "peak")
            numbers = {name: stored[name] for name in names}
            # A gateway of an older release does not tell what it stored.
            numbers |= {name: stored.get(name, 0) for name in ("stored", "connection_seconds")}
            application_id, node = stored["application_id"], stored["node"]
        except (ValueError, KeyError, TypeError) as error:
            raise Unreadable(type(error).__name__) from error
        if not all(type(number) is int and 0 <= number <= MAX_QUANTITY for number in numbers.values()):
            raise Unreadable("not a whole number")
        if not all(
            isinstance(text, str) and 1 <= len(text) <= 64 and "\x00" not in text for text in (application_id, node)
        ):
            raise Unreadable("bad name")
        if numbers["interval"] > _LAST_SECOND or numbers["seq"] < 1:
            raise Unreadable("out of range")
        return cls(application_id=application_id, node=node, **numbers)

    @property
    def source_key(self) -> str:
        return f"rt:{self.node}:{self.interval}:{self.seq}"

    @property
    def occurred_at(self) -> datetime:
        return datetime.fromtimestamp(self.interval, UTC)

    def usage(self, application: int | None) -> list[UsageRecordIn]:
        """What this record adds to the meters that are sums. application: row number."""
        counts = (
            (MESSAGES_PUBLISHED, self.published),
            (MESSAGES_DELIVERED, self.delivered),
            (MESSAGES_STORED, self.stored),
            (CONNECTION_MINUTES, self.connection_seconds // 60),
        )
        return [
            UsageRecordIn(meter, self.source_key, count, self.occurred_at, application)
            for meter, count in counts
            if count
        ]


def advance(counted: int, ahead: Iterable[int], done: Iterable[int]) -> tuple[int, list[int]]:
    """The highest number up to which nothing is missing, and what is done beyond it, after `done` came in."""
    waiting = {seq for seq in (*ahead, *done) if seq > counted}
    if len(waiting) > MAX_AHEAD:
        counted = min(waiting) - 1
    while counted + 1 in waiting:
        counted += 1
        waiting.discard(counted)
    return counted, sorted(waiting)
