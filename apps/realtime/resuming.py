"""Positions on a subscription: what the client asks for, what it has missed, and what its ack says.

Opt-in, because a client that never heard of positions must see plain protocol 7: `position` (or `rewind`) among the
members of `pusher:subscribe`, or `positions=true` in the query of the connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from apps.realtime.history import ChannelLogs, LogState, Range, missed_since
from apps.realtime.hub import LiveChannel
from apps.realtime.peers import MAX_QUEUED_BYTES
from apps.realtime.protocol.frames import frame
from apps.realtime.protocol.messages import BadMessage, position
from apps.realtime.protocol.publications import MAX_OFFSET, Mark, Position, Publication, with_position
from apps.realtime.protocol.tags import Filter
from apps.tenants.application_settings import ApplicationSettings

if TYPE_CHECKING:
    from apps.realtime.connection import Connection

#: Publications that one resume brings at most; who missed more reloads its state.
MAX_RECOVERED = 300
MAX_REWIND = 100
_MAX_TOKEN = 64
#: How often the log is read anew because it went on, or was lost, meanwhile.
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """since: where the client stands, to resume. rewind: how many old publications a new subscription begins with."""

    since: Mark | None = None
    rewind: int = 0


def wanted(fields: Mapping[str, Any], *, always: bool) -> Wanted | None:
    """None for a plain subscription. always: the connection asked for positions. Raises BadMessage."""
    place, rewind = fields.get("position"), fields.get("rewind", 0)
    if type(rewind) is not int or not 0 <= rewind <= MAX_REWIND:
        raise BadMessage(f"rewind must be a whole number from 0 to {MAX_REWIND}")
    if isinstance(place, dict):
        return Wanted(token(place), rewind)
    if place not in (None, True, False):
        raise BadMessage("position must be true or an object of epoch, offset and message_id")
    return Wanted(None, rewind) if place or rewind or always else None


def switched_off(want: Wanted | None, settings: ApplicationSettings) -> str:
    """The setting that stands in the way, or empty. To be told where it stands takes no setting."""
    if want is None:
        return ""
    if want.since is not None and not settings.recovery:
        return "recovery"
    return "rewind" if want.rewind and not settings.rewind else ""


def token(fields: Mapping[str, Any]) -> Mark:
    """Where a client says it stands. message_id may be missing. Raises BadMessage."""
    epoch, offset, message_id = fields.get("epoch"), fields.get("offset"), fields.get("message_id", "")
    if not isinstance(epoch, str) or not 0 < len(epoch) <= _MAX_TOKEN:
        raise BadMessage("position.epoch must be the epoch of a publication")
    if type(offset) is not int or not 0 <= offset < MAX_OFFSET:
        raise BadMessage("position.offset must be the offset of a publication")
    if not isinstance(message_id, str) or len(message_id) > _MAX_TOKEN:
        raise BadMessage("position.message_id must be the message_id of a publication")
    return Mark(Position(epoch, offset), message_id)


@dataclass(frozen=True, slots=True)
class Resumed:
    """start: what the ack says. recovered: None when nothing was to be resumed. replay: frames of what follows
    `start`, `count` of them. end: where the subscriber stands after them. cached: None unless it is to be replayed."""

    start: Mark
    recovered: bool | None
    end: Mark
    replay: bytes = b""
    count: int = 0
    cached: Publication | None = None

    @property
    def brings_nothing(self) -> bool:
        """Then the newest event of a cache channel is due."""
        return not self.recovered and not self.count


async def resume(connection: Connection, channel: LiveChannel, want: Wanted, chosen: Filter | None = None) -> Resumed:
    """Reads the log until it fits what arrived meanwhile. To be used before anything else is awaited.

    Raises LinkLost, CommandFailed.
    """
    engine, recovered = connection.engine, None if want.since is None else False
    room = MAX_QUEUED_BYTES // 2 - connection.frames.buffered
    state = await _read(engine.logs, channel, want)
    for _ in range(_ATTEMPTS):
        channel.stands_at(state.mark)
        engine.turns.flush(channel.topic)
        if channel.follows(connection.socket_id, state.mark):
            return _resumed(channel.name, want, state, room, chosen)
        mark = channel.mark
        if mark is not None and mark.position.epoch not in ("", state.mark.position.epoch):
            await engine.continuity.repair(channel)
        state = await _read(engine.logs, channel, want)
    # It goes on too fast for us: where the channel stands now is right at least.
    mark = channel.mark or state.mark
    return Resumed(mark, recovered, mark, cached=state.cached)


async def _read(logs: ChannelLogs, channel: LiveChannel, want: Wanted) -> LogState:
    span = None
    if want.since is not None:
        span = Range(want.since.position.offset, None, MAX_RECOVERED + 1)
    elif want.rewind:
        span = Range(MAX_OFFSET, 0, want.rewind)
    return await logs.read(channel.application_id, channel.name, span, begin=True)


def _resumed(name: str, want: Wanted, state: LogState, room: int, chosen: Filter | None) -> Resumed:
    if want.since is not None:
        missed = missed_since(want.since, state)
        if missed is None:
            return Resumed(state.mark, False, state.mark, cached=state.cached)
        start, recovered = want.since, True
    else:
        missed = sorted(state.publications, key=lambda each: each.mark.position.offset)
        if not missed:
            return Resumed(state.mark, None, state.mark, cached=state.cached)
        first = missed[0].mark.position
        start, recovered = Mark(Position(first.epoch, first.offset - 1)), None
    replay, count = state.wire_after(start.position.offset), len(missed)
    if chosen is not None:
        passed = [each for each in missed if chosen.passes(each.tags)]
        frames = [frame(with_position(each)) for each in passed]
        replay, count = b"".join([*frames, frame(position(name, state.mark))]) if missed else b"", len(passed)
    if len(replay) > room:  # it would be closed as a slow reader, come back, and be closed again
        return Resumed(state.mark, False, state.mark, cached=state.cached)
    return Resumed(start, recovered, state.mark, replay, count)
