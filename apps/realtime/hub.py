"""Fan-out inside one process: a publication is encoded once, and the same bytes go to every local subscriber.

The hub never waits. A subscriber that cannot take more is dropped by its own byte bound (see peers.py).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable, Iterable, Sequence, Set

from apps.realtime.counters import Counters
from apps.realtime.latest import Kept, Laggards
from apps.realtime.peers import Frames
from apps.realtime.protocol import messages
from apps.realtime.protocol.channels import Kind, kind_of
from apps.realtime.protocol.frames import frame
from apps.realtime.protocol.publications import Mark, Position, Publication, Topic, with_position
from apps.realtime.protocol.tags import Filter

log = logging.getLogger(__name__)

Write = Callable[[bytes], None]
#: What a subscription that is being set up, or a channel that waits for its log, may miss before it has a gap.
MAX_WAITING = 2_000
#: After so many publications that did not pass its filter, a subscriber with positions hears where the log stands.
TOLD_EVERY = 25
_BILLED = frozenset({Topic.EVENT, Topic.CLIENT_EVENT})


class LiveChannel:
    """A channel with subscribers in this process.

    Subscribers are keyed by socket id. One that is still being set up collects what arrives in `waiting`; `go_live`
    moves it over without letting go of the event loop, so it misses and repeats nothing.

    All subscribers stand at one place of the channel's log, `mark`. A publication that does not follow it is a gap:
    from then on everything is held, and on_gap(channel) must end in `catch_up` or `start_over`.
    """

    __slots__ = (
        "_epoch",
        "_held",
        "_id",
        "_offset",
        "_on_gap",
        "_unsaid",
        "ahead",
        "application_id",
        "counters",
        "filters",
        "heard_at",
        "kind",
        "laggards",
        "name",
        "positioned",
        "sequences",
        "topic",
        "waiting",
        "writes",
    )  # fmt: skip

    def __init__(
        self, application_id: str, name: str, topic: bytes, counters: Counters,
        on_gap: Callable[[LiveChannel], None] = lambda channel: None,
    ) -> None:  # fmt: skip
        self.application_id, self.name, self.topic, self.counters = application_id, name, topic, counters
        self.kind: Kind = kind_of(name)
        #: Who gets plain events, and who asked for message id, offset and epoch.
        self.writes: dict[Hashable, Write] = {}
        self.positioned: dict[Hashable, Write] = {}
        self.waiting: dict[Hashable, list[Publication]] = {}
        #: Positioned subscribers that have read more of the log than the broker has delivered here.
        self.ahead: dict[Hashable, Position] = {}
        #: Up to which member event each subscriber's own list of members already says it.
        self.sequences: dict[Hashable, int] = {}
        self.heard_at = time.monotonic()
        #: None: a slow subscriber gets everything, until it is closed.
        self.laggards: Laggards | None = None
        #: Of subscribers that want some of the publications only, with how many were left out since they were told.
        self.filters: dict[Hashable, Filter] = {}
        self._unsaid: dict[Hashable, int] = {}
        self._on_gap = on_gap
        self._held: list[Publication] | None = None
        #: The mark in pieces, since it moves with every publication. Epoch None: not known yet.
        self._epoch: str | None = None
        self._offset, self._id = 0, ""

    @property
    def count(self) -> int:
        return len(self.writes) + len(self.positioned) + len(self.waiting)

    @property
    def mark(self) -> Mark | None:
        return None if self._epoch is None else Mark(Position(self._epoch, self._offset), self._id)

    @property
    def held(self) -> Sequence[Publication]:
        return self._held or ()

    def wait(self, subscriber: Hashable) -> None:
        self.waiting[subscriber] = []

    def stands_at(self, mark: Mark) -> None:
        """Learns where the log stands, from the first reader."""
        if self._epoch is None:
            self._move_to(mark)

    def go_live(self, subscriber: Hashable, write: Write, *, sequence: int = 0, seen: str = "") -> bool:
        """False when more arrived meanwhile than may wait: the subscriber has a gap and must be told.

        seen: id of the cached publication that was just replayed to the subscriber.
        """
        missed = self.waiting.pop(subscriber, [])
        if len(missed) > MAX_WAITING:
            return False
        already = next((at for at, publication in enumerate(missed) if seen and publication.id == seen), -1)
        self.writes[subscriber] = write
        self._finish(subscriber, write, missed[already + 1 :], sequence)
        return True

    def follows(self, subscriber: Hashable, mark: Mark) -> bool:
        """Whether a subscriber that waits and has read the log up to `mark` can go on without a gap."""
        missed = self.waiting.get(subscriber, [])
        if len(missed) > MAX_WAITING or self._epoch not in (None, "", mark.position.epoch):
            return False
        later = [each.mark.position.offset for each in missed if _is_after(each, mark.position)]
        return later[0] == mark.position.offset + 1 if later else self._offset <= mark.position.offset

    def go_live_from(self, subscriber: Hashable, write: Write, mark: Mark, *, sequence: int = 0) -> None:
        """As `go_live`, with positions. Only when it `follows`."""
        missed = self.waiting.pop(subscriber)
        self.positioned[subscriber] = write
        if mark.position.offset > self._offset or self._epoch != mark.position.epoch:
            self.ahead[subscriber] = mark.position
        ours = [each for each in missed if each.position is None or _is_after(each, mark.position)]
        self._finish(subscriber, write, ours, sequence)

    def _finish(self, subscriber: Hashable, write: Write, missed: list[Publication], sequence: int) -> None:
        if self.kind.is_presence:
            self.sequences[subscriber] = sequence
        for publication in missed:
            self._deliver_to(subscriber, write, publication)

    def rewire(self, subscriber: Hashable, write: Write) -> None:
        """The subscriber has another way out from now on."""
        for group in (self.writes, self.positioned):
            if subscriber in group:
                group[subscriber] = write

    def may_lag(self, subscriber: Hashable, frames: Frames) -> None:
        """Of this channel, only the newest publication counts for the subscriber while it reads too slowly."""
        if self.laggards is None:
            self.laggards = Laggards(self._deliver_kept)
        self.laggards.watch(subscriber, frames)

    def choose(self, subscriber: Hashable, wanted: Filter | None) -> None:
        """From now on it gets the publications that pass; None: all. Before it goes live, or when it asks again."""
        self._unsaid.pop(subscriber, None)
        if wanted is None:
            self.filters.pop(subscriber, None)
        else:
            self.filters[subscriber] = wanted

    def remove(self, subscriber: Hashable) -> bool:
        """Whether it was there."""
        if self.laggards is not None:
            self.laggards.forget(subscriber)
        self.sequences.pop(subscriber, None)
        self.choose(subscriber, None)
        self.ahead.pop(subscriber, None)
        waited = self.waiting.pop(subscriber, None)
        live = self.writes.pop(subscriber, None) or self.positioned.pop(subscriber, None)
        return live is not None or waited is not None

    # --- The log: what comes next, what came already, what is missing

    def deliver(self, publications: Sequence[Publication]) -> None:
        """Hands publications, in order, to every subscriber. Neighbours that go to everybody share one write."""
        self.heard_at = time.monotonic()
        if self._held is not None:
            self._held.extend(publications[: MAX_WAITING + 1 - len(self._held)])
            return
        fit = []
        for at, publication in enumerate(publications):
            if publication.position is None or self._is_next(publication.position):
                fit.append(publication)
                if publication.position is not None:
                    self._epoch, self._offset, self._id = (
                        publication.position.epoch, publication.position.offset, publication.id,
                    )  # fmt: skip
            elif not self._is_repeat(publication):
                self._held = list(publications[at:])
                break
        self._fan_out(fit)
        if self._held is not None:
            self._on_gap(self)

    def _is_next(self, position: Position) -> bool:
        if self._epoch:
            return position.offset == self._offset + 1 and position.epoch == self._epoch
        return self._epoch is None or position.offset == 1

    def _is_repeat(self, publication: Publication) -> bool:
        position = publication.position
        assert position is not None
        if position.epoch != self._epoch or position.offset > self._offset:
            return False
        return position.offset < self._offset or not self._id or publication.id == self._id

    def hold(self) -> None:
        """Nothing is delivered until the log has been read."""
        if self._held is None:
            self._held = []

    def catch_up(self, missing: Sequence[Publication]) -> None:
        """The gap is closed: first what was missing, then what was held."""
        held, self._held = self._held or [], None
        self.deliver([*missing, *held])

    def start_over(self, mark: Mark) -> list[Hashable]:
        """The gap stays: everybody goes on at `mark`. Positioned subscribers are told; answers who else has lost.

        What is held of another epoch is part of the gap.
        """
        held, self._held = self._held or [], None
        if self.laggards is not None:
            self.laggards.deliver_all()
        self._move_to(mark)
        for missed in self.waiting.values():
            missed.clear()  # they have not been promised anything, and must not take the gap for a sequence
        told = frame(messages.messages_lost(self.name, mark))
        for subscriber, write in self.positioned.items():
            stands = self.ahead.get(subscriber)
            if stands is None or stands.epoch != mark.position.epoch or stands.offset < mark.position.offset:
                self.ahead.pop(subscriber, None)
                _write_to((write,), told)
        self.deliver([each for each in held if each.position is None or each.position.epoch == mark.position.epoch])
        return list(self.writes)

    def _move_to(self, mark: Mark) -> None:
        self._epoch, self._offset, self._id = mark.position.epoch, mark.position.offset, mark.id

    # --- Fan-out

    def _fan_out(self, publications: Sequence[Publication]) -> None:
        for missed in self.waiting.values():
            if len(missed) <= MAX_WAITING:
                missed.extend(publications)
        run: list[Publication] = []
        for publication in publications:
            excluded = publication.excluded
            if publication.kind is Topic.MEMBER or excluded in self.writes or excluded in self.positioned:
                self._deliver_to_all(run)
                run = []
                for subscriber, write in [*self.writes.items(), *self.positioned.items()]:
                    self._deliver_to(subscriber, write, publication)
            else:
                run.append(publication)
        self._deliver_to_all(run)

    def _deliver_to_all(self, run: list[Publication]) -> None:
        if not run:
            return
        singly: Set[Hashable] = self.filters.keys() | self.ahead.keys()
        if self.laggards is not None:
            singly |= self.laggards.among(run)
        plain, level = _others(self.writes, singly), _others(self.positioned, singly)
        if plain:
            wire = frame(run[0].json) if len(run) == 1 else b"".join(frame(publication.json) for publication in run)
            _write_to(plain.values(), wire)
            self._count(run, len(wire), len(plain))
        if level:
            wire = b"".join(frame(with_position(publication)) for publication in run)
            _write_to(level.values(), wire)
            self._count(run, len(wire), len(level))
        for subscriber in singly:
            write = self.writes.get(subscriber) or self.positioned.get(subscriber)
            if write is None:
                continue
            for publication in run:
                self._deliver_to(subscriber, write, publication)

    def _deliver_to(self, subscriber: Hashable, write: Write, publication: Publication) -> None:
        if publication.kind is Topic.MEMBER and publication.sequence <= self.sequences.get(subscriber, 0):
            return
        json = publication.json
        if subscriber in self.positioned and publication.position is not None:
            if not self._reaches(subscriber, publication.position):
                return
            json = with_position(publication)
        if not self._passes(subscriber, write, publication) or self._keeps_back(subscriber, publication):
            return
        if publication.excluded == subscriber:
            if subscriber in self.positioned and publication.position is not None:
                _write_to((write,), frame(messages.position(self.name, publication.mark)))
            return
        wire = frame(json)
        _write_to((write,), wire)
        self._count([publication], len(wire), 1)

    def _passes(self, subscriber: Hashable, write: Write, publication: Publication) -> bool:
        """Who has positions is told now and then how far the log went on without it, so that it can come back there."""
        wanted = self.filters.get(subscriber)
        if wanted is None or publication.kind is not Topic.EVENT or wanted.passes(publication.tags):
            if publication.position is not None:
                self._unsaid.pop(subscriber, None)
            return True
        if subscriber in self.positioned and publication.position is not None:
            unsaid = self._unsaid[subscriber] = self._unsaid.get(subscriber, 0) + 1
            is_waiting = self.laggards is not None and self.laggards.is_slow(subscriber, publication)
            if unsaid >= TOLD_EVERY and not is_waiting:
                del self._unsaid[subscriber]
                _write_to((write,), frame(messages.position(self.name, publication.mark)))
        return False

    def _keeps_back(self, subscriber: Hashable, publication: Publication) -> bool:
        """Whether the subscriber lags, so that this waits or takes the place of what waits."""
        laggards = self.laggards
        if laggards is None or publication.kind not in _BILLED or not laggards.is_slow(subscriber, publication):
            return False
        self.counters.skipped += laggards.keep(subscriber, publication)
        return True

    def _deliver_kept(self, subscriber: Hashable, kept: Kept) -> None:
        write = self.writes.get(subscriber) or self.positioned[subscriber]
        is_positioned, publication = subscriber in self.positioned, kept.newest
        if is_positioned and kept.lost is not None:
            _write_to((write,), frame(messages.messages_lost(self.name, kept.lost)))
        if publication is not None:
            wire = frame(with_position(publication) if is_positioned else publication.json)
            _write_to((write,), wire)
            self._count([publication], len(wire), 1)
        if is_positioned and kept.after is not None:
            _write_to((write,), frame(messages.position(self.name, kept.after)))

    def _reaches(self, subscriber: Hashable, position: Position) -> bool:
        """False for what a subscriber that is ahead has had; forgets that it was ahead as soon as it is not."""
        stands = self.ahead.get(subscriber)
        if stands is None:
            return True
        if stands.epoch == position.epoch and position.offset < stands.offset:
            return False
        if stands.epoch != position.epoch:
            return False
        del self.ahead[subscriber]
        return position.offset > stands.offset

    def _count(self, run: list[Publication], size: int, subscribers: int) -> None:
        billed = sum(publication.kind in _BILLED for publication in run)
        if billed and subscribers:
            self.counters.delivered += billed * subscribers
            self.counters.bytes += size * subscribers


def _others(group: dict[Hashable, Write], without: Set[Hashable]) -> dict[Hashable, Write]:
    return group if not without else {who: write for who, write in group.items() if who not in without}


def _write_to(writes: Iterable[Write], wire: bytes) -> None:
    for write in writes:
        try:
            write(wire)
        except Exception as error:
            # One who fails must not cost the others theirs. uvloop's transport raises once its connection was cut,
            # until the connection's own task has run and removed it here.
            log.info("hub.peer_gone %s", error)


def _is_after(publication: Publication, position: Position) -> bool:
    ours = publication.position
    return ours is not None and ours.epoch == position.epoch and ours.offset > position.offset


class Hub:
    """The live channels of one process and region, by broker topic."""

    def __init__(self, on_gap: Callable[[LiveChannel], None] = lambda channel: None) -> None:
        self._on_gap = on_gap
        self.channels: dict[bytes, LiveChannel] = {}

    def open(self, application_id: str, name: str, topic: bytes, counters: Counters) -> LiveChannel:
        channel = self.channels.get(topic)
        if channel is None:
            channel = self.channels[topic] = LiveChannel(application_id, name, topic, counters, self._on_gap)
        return channel

    def close_if_empty(self, channel: LiveChannel) -> bool:
        """Whether it is now gone: then nobody here needs the broker subscription either."""
        if channel.count or self.channels.get(channel.topic) is not channel:
            return False
        del self.channels[channel.topic]
        return True
