"""What slow readers of a channel get where the newest state is all that counts: the newest publication, later.

While more than `LAGS_AT` bytes wait for a subscriber, of each such channel only the newest publication is kept for it,
and written once its queue is nearly empty. So a slow reader costs one publication per channel, not its connection.
Who has positions is told of what was left out by `pusher:messages_lost`, before the publication that comes after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from apps.realtime.peers import MAX_QUEUED_BYTES, Frames
from apps.realtime.protocol.publications import Mark, Publication

#: Bytes that wait for a subscriber when it begins to lag, and at most when it gets what was kept for it.
LAGS_AT, DRAINED_AT = 64 * 1024, 16 * 1024
#: How often it is looked whether somebody has read on, in seconds; only while somebody lags.
_LOOK = 0.02


@dataclass(slots=True)
class Kept:
    """For one subscriber. lost: up to where it has missed something, if it has. after: where the log stands behind
    `newest`, if the subscriber was excluded from what came then."""

    newest: Publication | None = None
    lost: Mark | None = None
    after: Mark | None = None

    def add(self, publication: Publication, *, is_excluded: bool) -> bool:
        """Whether another publication was left out for it."""
        if is_excluded:
            self.after = publication.mark if publication.position is not None else self.after
            return False
        before, self.newest = self.newest, publication
        stood, self.after = self.after, None
        if before is None:
            return False
        self.lost = stood or (before.mark if before.position is not None else self.lost)
        return True


class Laggards:
    """Of one channel. deliver: writes what was kept for a subscriber."""

    def __init__(self, deliver: Callable[[Hashable, Kept], None]) -> None:
        self._deliver = deliver
        self._frames: dict[Hashable, Frames] = {}
        self._kept: dict[Hashable, Kept] = {}
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, subscriber: Hashable, frames: Frames) -> None:
        self._frames[subscriber] = frames

    def forget(self, subscriber: Hashable) -> None:
        self._frames.pop(subscriber, None)
        self._kept.pop(subscriber, None)

    def among(self, run: Sequence[Publication]) -> set[Hashable]:
        """Who cannot take this just now."""
        most = _most_before(sum(len(publication.json) for publication in run))
        slow = {who for who, frames in self._frames.items() if frames.buffered > most}
        return slow | self._kept.keys()

    def is_slow(self, subscriber: Hashable, publication: Publication) -> bool:
        if subscriber in self._kept:
            return True
        frames = self._frames.get(subscriber)
        return frames is not None and frames.buffered > _most_before(len(publication.json))

    def keep(self, subscriber: Hashable, publication: Publication) -> bool:
        """In place of what was kept before. Answers whether that leaves something out."""
        kept = self._kept.setdefault(subscriber, Kept())
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LOOK, self._look)
        return kept.add(publication, is_excluded=publication.excluded == subscriber)

    def _look(self) -> None:
        self._timer = None
        for subscriber in [who for who in self._kept if self._frames[who].buffered <= DRAINED_AT]:
            self._deliver(subscriber, self._kept.pop(subscriber))
        if self._kept:
            self._timer = asyncio.get_running_loop().call_later(_LOOK, self._look)

    def deliver_now(self, subscriber: Hashable) -> None:
        """Whether it reads or not."""
        if subscriber in self._kept:
            self._deliver(subscriber, self._kept.pop(subscriber))

    def deliver_all(self) -> None:
        for subscriber in list(self._kept):
            self.deliver_now(subscriber)


def _most_before(size: int) -> int:
    """Bytes that may wait when so many are to come, or the bound of the connection would be near."""
    return max(0, min(LAGS_AT, MAX_QUEUED_BYTES // 2 - size))
