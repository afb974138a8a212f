"""Reading a channel's log: where it stands, and what follows a place in it. Identical concurrent reads are one."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from apps.realtime import keys, scripts
from apps.realtime.events import META_TTL
from apps.realtime.link import Lines
from apps.realtime.protocol.frames import frame
from apps.realtime.protocol.publications import Mark, Position, Publication, unpacked, with_position

#: How long an epoch outlives the last who asked for it while nothing is published, in seconds.
IDLE_TTL = 3_600


@dataclass(frozen=True, slots=True)
class Range:
    """Offsets, both included; start > end reads backwards. end None: up to the newest. limit: entries."""

    start: int
    end: int | None
    limit: int


@dataclass(slots=True)
class LogState:
    """mark: the newest publication's place, with epoch "" while the channel has no log. publications: as asked for.
    cached: of a cache channel, what newcomers are replayed."""

    mark: Mark
    publications: Sequence[Publication] = ()
    cached: Publication | None = None
    _wires: tuple[int, bytes] | None = field(default=None, init=False)

    def wire_after(self, offset: int) -> bytes:
        """The frames of everything after an offset, built once for all who share this read."""
        if self._wires is None or self._wires[0] != offset:
            later = [each for each in self.publications if each.mark.position.offset > offset]
            later.sort(key=lambda each: each.mark.position.offset)  # they may have been read backwards
            self._wires = (offset, b"".join(frame(with_position(each)) for each in later))
        return self._wires[1]


def missed_since(mark: Mark, state: LogState) -> list[Publication] | None:
    """What somebody who stands at `mark` lacks, in order and without a gap; None when that cannot be said.

    An epoch "" in `mark` means: nothing had been published. The id is compared too, because a replica that was promoted
    without the last publications gives the same offsets, in the same epoch, to others.
    """
    since, top = mark.position, state.mark.position
    if since.epoch not in ("", top.epoch) or since.offset > top.offset:
        return None
    if not _is_same(mark, state.mark) or not all(_is_same(mark, each.mark) for each in state.publications):
        return None
    later = [each for each in state.publications if each.mark.position.offset > since.offset]
    offsets = [since.offset, *(each.mark.position.offset for each in later)]
    if offsets[-1] != top.offset or any(after != before + 1 for before, after in pairwise(offsets)):
        return None
    return later


def _is_same(mark: Mark, other: Mark) -> bool:
    """False when two publications stand at one place."""
    return mark.position.offset != other.position.offset or not mark.id or not other.id or mark.id == other.id


class ChannelLogs:
    """Belongs to one event loop."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._reading: dict[tuple[str, str, Range | None, bool], asyncio.Task[LogState]] = {}

    async def read(
        self, application_id: str, channel: str, wanted: Range | None = None, *, begin: bool = False
    ) -> LogState:
        """begin: gives the channel an epoch if it has none yet, so that a log lost later shows. Raises LinkLost,
        CommandFailed.

        May answer with a read that another caller has just started: what was published since is not in it.
        """
        name = (application_id, channel, wanted, begin)
        task = self._reading.get(name)
        if task is None:
            task = self._reading[name] = asyncio.get_running_loop().create_task(self._read_alone(*name))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())  # its callers may have gone
        return await asyncio.shield(task)

    def forget(self) -> None:
        """Nobody from now on gets the answer of a read that is under way."""
        self._reading.clear()

    async def _read_alone(self, application_id: str, channel: str, wanted: Range | None, begin: bool) -> LogState:
        try:
            return await self._read(application_id, channel, wanted, begin)
        finally:
            # Before anybody sees the answer: who finds it too old must get another one.
            if self._reading.get((application_id, channel, wanted, begin)) is asyncio.current_task():
                del self._reading[(application_id, channel, wanted, begin)]

    async def _read(self, application_id: str, channel: str, wanted: Range | None, begin: bool) -> LogState:
        start, end, limit = ("", "", 0) if wanted is None else (wanted.start, wanted.end, wanted.limit)
        names = [key(application_id, channel) for key in (keys.meta, keys.log, keys.cached)]
        epoch, top, newest, entries, cached = await scripts.run(
            self._lines, "read", names,
            secrets.token_hex(6) if begin else "", META_TTL, IDLE_TTL, start, "" if end is None else end, limit,
        )  # fmt: skip
        publications = [_publication(epoch, entry) for entry in entries]
        mark = Mark(Position(epoch.decode(), int(top)), newest.decode())
        # What a lost meta left behind is beyond its successor's top, until the first publication removes it.
        real = [each for each in publications if each.mark.position.offset <= top]
        return LogState(mark, real, unpacked(b"- " + cached) if cached else None)


def _publication(epoch: bytes, entry: tuple[bytes, list[bytes]]) -> Publication:
    name, (_, body) = entry
    return unpacked(b"%b:%b %b" % (epoch, name.partition(b"-")[0], body))
