"""What an application's traffic adds up to in this process, until it is flushed as a usage record."""

from __future__ import annotations

from dataclasses import dataclass

#: Connection time is reported in whole minutes of so many seconds.
MINUTE = 60


@dataclass(slots=True)
class Counters:
    """Since the last flush. stored: publications that a log keeps. bytes: frame bytes accepted into subscribers'
    queues. skipped: left out for slow subscribers of channels of which only the newest counts. peak: most connections
    at once."""

    published: int = 0
    stored: int = 0
    delivered: int = 0
    bytes: int = 0
    dropped: int = 0
    skipped: int = 0
    peak: int = 0
    connection_seconds: float = 0.0

    def start_again(self) -> None:
        """Empties in place, since channels hold on to the object; a begun minute of connection time is kept."""
        self.published = self.stored = self.delivered = self.bytes = self.peak = 0
        self.dropped = self.skipped = 0
        self.connection_seconds %= MINUTE

    @property
    def is_empty(self) -> bool:
        return not (self.published or self.delivered or self.dropped or self.peak or self.connection_seconds >= MINUTE)
