"""No publication is lost silently: a gap is closed from the log, or whoever has it is told.

Gaps show when a publication does not follow the one before it, after the broker connection was rebuilt, and, for the
last publication of a channel, in a check of channels that have long been silent. Positioned subscribers are told by
`pusher:messages_lost`; plain ones know only one way to start afresh, so they are closed with 4200, spread over time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from apps.realtime import metrics
from apps.realtime.closings import close_spread
from apps.realtime.history import LogState, Range, missed_since
from apps.realtime.hub import MAX_WAITING, LiveChannel
from apps.realtime.link import CommandFailed, LinkLost
from apps.realtime.protocol import closing
from apps.realtime.protocol.publications import NOWHERE, Mark, Position, Publication

if TYPE_CHECKING:
    from apps.realtime.connection import Connection
    from apps.realtime.engine import Engine

log = logging.getLogger(__name__)

#: A channel silent for so many seconds is compared with its log.
SILENCE = 40.0
#: For publications that are under way to land before a gap counts as one, in seconds.
_LANDING = 0.5
_RETRY = 0.2
_BATCH = 200
#: Plain connections that are sent away in a second.
_CLOSED_PER_SECOND = 400


class Continuity:
    """Belongs to one event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tasks: set[asyncio.Task[Any]] = set()
        self._repairs: dict[LiveChannel, asyncio.Task[None]] = {}
        self._leaving: dict[str, Connection] = {}
        self._closer: asyncio.Task[None] | None = None
        self.repaired = self.lost = 0

    def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # --- One channel

    def gap(self, channel: LiveChannel) -> None:
        """The channel holds everything until this is done."""
        if channel not in self._repairs:
            metrics.GAPS.labels("noticed").inc()
            self._repairs[channel] = self._spawn(self._repair(channel))

    async def repair(self, channel: LiveChannel) -> None:
        """Brings the channel to where its log stands, or says to its subscribers that this cannot be done."""
        self.gap(channel)
        await asyncio.shield(self._repairs[channel])

    async def _repair(self, channel: LiveChannel) -> None:
        channel.hold()
        has_waited = False
        while True:
            known = len(channel.held)
            state = await self._read(channel)
            self._engine.turns.flush(channel.topic)
            missing = _missing(channel, state)
            if missing is None and not has_waited and _may_be_under_way(channel, state):
                has_waited = True
                await asyncio.sleep(_LANDING)
            elif missing is not None or not _has_strangers(channel.held[known:], state):
                break
            # Else what came during the read may be of a log that has begun since.
        del self._repairs[channel]  # what is handed over now may show the next gap
        if missing is not None:
            self.repaired += bool(missing)
            metrics.GAPS.labels("repaired").inc()
            channel.catch_up(missing)
            return
        mark = _going_on(channel, state)
        log.warning("continuity.lost application=%s at=%s", channel.application_id, mark.position)
        self.lost += 1
        metrics.GAPS.labels("told").inc()
        self._send_away(channel, channel.start_over(mark))

    async def _read(self, channel: LiveChannel) -> LogState:
        """For as long as it takes: meanwhile the channel holds what comes, within its bound."""
        since = (channel.mark or NOWHERE).position.offset
        while True:
            try:
                return await self._engine.logs.read(
                    channel.application_id, channel.name, Range(since, None, MAX_WAITING), begin=True
                )
            except (LinkLost, CommandFailed):
                await asyncio.sleep(_RETRY)

    def _send_away(self, channel: LiveChannel, subscribers: Iterable[Hashable]) -> None:
        application = self._engine.applications.get(channel.application_id)
        connections = application.connections if application is not None else {}
        for subscriber in subscribers:
            if isinstance(subscriber, str) and subscriber in connections:
                self._leaving[subscriber] = connections[subscriber]
        if self._leaving and (self._closer is None or self._closer.done()):
            self._closer = self._spawn(self._close_leaving())

    async def _close_leaving(self) -> None:
        while self._leaving:
            leaving = list(self._leaving.values())
            self._leaving.clear()
            await close_spread(leaving, closing.MESSAGES_LOST, window=len(leaving) / _CLOSED_PER_SECOND)

    # --- All channels

    def rebuilt(self) -> None:
        """After the broker connection was lost: anything may have been missed."""
        self._spawn(self._check_everything())

    async def _check_everything(self) -> None:
        # What was asked before the topics were confirmed may have been answered before the last publication.
        self._engine.logs.forget()
        if self._repairs:
            await asyncio.wait(self._repairs.values())
        while True:
            try:
                await self._check(list(self._engine.hub.channels.values()))
            except (LinkLost, CommandFailed):
                await asyncio.sleep(_RETRY)
            else:
                return

    async def tick(self) -> None:
        """Compares channels that have long been silent. Raises LinkLost, CommandFailed."""
        silent = time.monotonic() - SILENCE
        await self._check([each for each in list(self._engine.hub.channels.values()) if each.heard_at < silent])

    async def _check(self, channels: Sequence[LiveChannel]) -> None:
        for start in range(0, len(channels), _BATCH):
            batch = [each for each in channels[start : start + _BATCH] if _has_log(each)]
            reads = (self._engine.logs.read(each.application_id, each.name, begin=True) for each in batch)
            for channel, state in zip(batch, await asyncio.gather(*reads), strict=True):
                channel.heard_at = time.monotonic()
                self._engine.turns.flush(channel.topic)
                if missed_since(channel.mark or state.mark, state) != []:
                    self.gap(channel)


def _has_log(channel: LiveChannel) -> bool:
    return channel.mark is not None and not channel.name.startswith("#")


def _missing(channel: LiveChannel, state: LogState) -> list[Publication] | None:
    """What the log and what is held say together."""
    held = [each for each in channel.held if each.position is not None]
    known = {each.mark.position.offset: each for each in (*held, *state.publications)}
    newest = max((each.mark for each in known.values()), key=lambda mark: mark.position.offset, default=state.mark)
    if newest.position.offset < state.mark.position.offset:
        newest = state.mark
    if _has_strangers(held, state):
        return None
    together = LogState(newest, [known[offset] for offset in sorted(known)])
    return missed_since(channel.mark or state.mark, together)


def _has_strangers(publications: Sequence[Publication], state: LogState) -> bool:
    epoch = state.mark.position.epoch
    return any(each.position is not None and each.position.epoch != epoch for each in publications)


def _may_be_under_way(channel: LiveChannel, state: LogState) -> bool:
    mark = channel.mark
    return mark is not None and mark.position.epoch == state.mark.position.epoch


def _going_on(channel: LiveChannel, state: LogState) -> Mark:
    """Where a channel with a gap goes on: before the first thing that is held, so that this at least is delivered."""
    epoch = state.mark.position.epoch
    held = [each.position.offset for each in channel.held if each.position and each.position.epoch == epoch]
    return Mark(Position(epoch, held[0] - 1)) if held else state.mark
