"""Fan-out inside one process: a publication is encoded once, and the same bytes go to every local subscriber.

The hub never waits. A subscriber that cannot take more is dropped by its own byte bound (see peers.py).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from apps.realtime.counters import Counters
from apps.realtime.protocol.channels import Kind, kind_of
from apps.realtime.protocol.frames import frame
from apps.realtime.protocol.publications import Publication, Topic

Write = Callable[[bytes], None]
#: What a subscription that is being set up may miss before it counts as too slow.
MAX_WAITING = 2_000
_BILLED = frozenset({Topic.EVENT, Topic.CLIENT_EVENT})


class LiveChannel:
    """A channel with subscribers in this process.

    Subscribers are keyed by socket id. One that is still being set up collects what arrives in `waiting`; `go_live`
    moves it over without letting go of the event loop, so it misses and repeats nothing.
    """

    __slots__ = ("application_id", "counters", "kind", "name", "sequences", "topic", "waiting", "writes")

    def __init__(self, application_id: str, name: str, topic: bytes, counters: Counters) -> None:
        self.application_id, self.name, self.topic, self.counters = application_id, name, topic, counters
        self.kind: Kind = kind_of(name)
        self.writes: dict[Hashable, Write] = {}
        self.waiting: dict[Hashable, list[Publication]] = {}
        #: Up to which member event each subscriber's own list of members already says it.
        self.sequences: dict[Hashable, int] = {}

    @property
    def count(self) -> int:
        return len(self.writes) + len(self.waiting)

    def wait(self, subscriber: Hashable) -> None:
        self.waiting[subscriber] = []

    def go_live(self, subscriber: Hashable, write: Write, *, sequence: int = 0, seen: str = "") -> bool:
        """False when more arrived meanwhile than may wait: the subscriber has a gap and must be told.

        seen: id of the cached publication that was just replayed to the subscriber.
        """
        missed = self.waiting.pop(subscriber, [])
        if len(missed) > MAX_WAITING:
            return False
        already = next((at for at, publication in enumerate(missed) if seen and publication.id == seen), -1)
        self.writes[subscriber] = write
        if self.kind.is_presence:
            self.sequences[subscriber] = sequence
        for publication in missed[already + 1 :]:
            self._deliver_to(subscriber, write, publication)
        return True

    def remove(self, subscriber: Hashable) -> bool:
        """Whether it was there."""
        self.sequences.pop(subscriber, None)
        live = self.writes.pop(subscriber, None)
        waited = self.waiting.pop(subscriber, None)
        return live is not None or waited is not None

    def deliver(self, publications: Sequence[Publication]) -> None:
        """Hands publications, in order, to every subscriber. Neighbours that go to everybody share one write."""
        for missed in self.waiting.values():
            if len(missed) <= MAX_WAITING:
                missed.extend(publications)
        run: list[Publication] = []
        for publication in publications:
            if publication.excluded in self.writes or publication.kind is Topic.MEMBER:
                self._deliver_to_all(run)
                run = []
                for subscriber, write in list(self.writes.items()):
                    self._deliver_to(subscriber, write, publication)
            else:
                run.append(publication)
        self._deliver_to_all(run)

    def _deliver_to_all(self, run: list[Publication]) -> None:
        if not run or not self.writes:
            return
        wire = frame(run[0].json) if len(run) == 1 else b"".join(frame(publication.json) for publication in run)
        for write in self.writes.values():
            write(wire)
        billed = sum(publication.kind in _BILLED for publication in run)
        if billed:
            self._count(billed * len(self.writes), len(wire) * len(self.writes))

    def _deliver_to(self, subscriber: Hashable, write: Write, publication: Publication) -> None:
        if publication.excluded == subscriber:
            return
        if publication.kind is Topic.MEMBER and publication.sequence <= self.sequences.get(subscriber, 0):
            return
        wire = frame(publication.json)
        write(wire)
        if publication.kind in _BILLED:
            self._count(1, len(wire))

    def _count(self, frames: int, size: int) -> None:
        self.counters.delivered += frames
        self.counters.bytes += size


class Hub:
    """The live channels of one process and region, by broker topic."""

    def __init__(self) -> None:
        self.channels: dict[bytes, LiveChannel] = {}

    def open(self, application_id: str, name: str, topic: bytes, counters: Counters) -> LiveChannel:
        channel = self.channels.get(topic)
        if channel is None:
            channel = self.channels[topic] = LiveChannel(application_id, name, topic, counters)
        return channel

    def close_if_empty(self, channel: LiveChannel) -> bool:
        """Whether it is now gone: then nobody here needs the broker subscription either."""
        if channel.count or self.channels.get(channel.topic) is not channel:
            return False
        del self.channels[channel.topic]
        return True
