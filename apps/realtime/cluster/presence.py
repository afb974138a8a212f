"""Who is on a presence channel, by user and not by connection, over all gateways.

Only a node's first and last connection of a user touches Valkey; the script there decides whether it was the first or
last of the cluster and announces it in the same step.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import orjson

from apps.realtime import keys, scripts
from apps.realtime.cluster.identity import Held, Holding, Identity
from apps.realtime.hooks import LINGER, MEMBERSHIP, Hooks
from apps.realtime.link import Lines, forget
from apps.realtime.protocol import messages
from apps.realtime.protocol.publications import Topic, packed


class ChannelFull(Exception):
    """The presence channel has as many members as the application allows."""


@dataclass(frozen=True, slots=True)
class Member:
    """user_info: JSON text, empty when the user gave none."""

    user_id: str
    user_info: bytes


@dataclass(frozen=True, slots=True)
class Roster:
    """The members at one moment. sequence: member events up to this number are already in it."""

    members: tuple[Member, ...]
    sequence: int

    def as_json(self) -> str:
        parts = {member.user_id: orjson.Fragment(member.user_info or b"null") for member in self.members}
        presence = {"count": len(parts), "ids": list(parts), "hash": parts}
        return orjson.dumps({"presence": presence}).decode()


def _roster(flat: list[bytes], sequence: int) -> Roster:
    pairs = zip(flat[::2], flat[1::2], strict=True)
    return Roster(tuple(Member(user.decode(), info) for user, info in pairs), sequence)


def _keys(holding: Holding) -> list[str]:
    members = keys.members(holding.application_id, holding.channel)
    return members + keys.hooks_of(holding.application_id, holding.channel)


class Presence:
    """This node's part in all presence channels."""

    def __init__(self, lines: Lines, identity: Identity, hooks: Hooks) -> None:
        self._lines, self._identity, self._hooks = lines, identity, hooks
        self._held: Counter[Holding] = Counter()
        self._info: dict[Holding, bytes] = {}
        self._leaving: set[Holding] = set()

    async def join(self, application_id: str, channel: str, member: Member, *, cap: int, socket_id: str) -> Roster:
        """Counts a connection in and answers who is there. Raises ChannelFull, LinkLost."""
        holding = Holding(Held.MEMBER, application_id, channel, member.user_id)
        self._held[holding] += 1
        self._leaving.discard(holding)
        self._info.setdefault(holding, member.user_info)
        try:
            state, sequence, flat = await self._run_join(holding, cap, socket_id)
        except BaseException:
            self.leave(application_id, channel, member.user_id)
            raise
        if state < 0:
            self.leave(application_id, channel, member.user_id)
            raise ChannelFull
        return _roster(flat, sequence)

    async def roster(self, application_id: str, channel: str) -> Roster:
        """Who is there, without joining. Raises LinkLost."""
        _, _, info, sequence = keys.members(application_id, channel)
        # One MULTI: the list and the number of the last change that is in it.
        for command in (("MULTI",), ("HGETALL", info), ("GET", sequence)):
            forget(self._lines.call(*command))
        flat, count = await self._lines.call("EXEC")
        return _roster(flat, int(count or 0))

    async def _run_join(self, holding: Holding, cap: int, socket_id: str) -> tuple[int, int, list[bytes]]:
        info = self._info[holding]
        added = messages.member_added(holding.channel, holding.user_id, orjson.Fragment(info) if info else None)
        hooked = await self._hooks.wanted(holding.application_id, MEMBERSHIP)
        self._identity.note(holding)
        reply = await scripts.run(
            self._lines, "join", _keys(holding), self._identity.node, holding.user_id, info, cap,
            keys.topic(holding.application_id, holding.channel), packed("-", socket_id, Topic.MEMBER, added),
            holding.channel, int(hooked),
        )  # fmt: skip
        if hooked:
            self._hooks.ring(holding.application_id, holding.channel)
        return reply[0], reply[1], reply[2]

    def leave(self, application_id: str, channel: str, user_id: str) -> None:
        """Counts a connection out; `flush` tells the cluster."""
        holding = Holding(Held.MEMBER, application_id, channel, user_id)
        self._held[holding] -= 1
        if self._held[holding] <= 0:
            del self._held[holding]
            self._info.pop(holding, None)
            self._leaving.add(holding)

    async def flush(self) -> None:
        """Raises LinkLost; what was not told then stays to be told."""
        for holding in list(self._leaving):
            await self.run_leave(self._identity.node, holding)
            if holding not in self._held:
                self._leaving.discard(holding)
                self._identity.strike(holding)

    async def run_leave(self, node: str, holding: Holding) -> None:
        removed = messages.member_removed(holding.channel, holding.user_id)
        hooked = await self._hooks.wanted(holding.application_id, MEMBERSHIP)
        await scripts.run(
            self._lines, "leave", _keys(holding), node, holding.user_id,
            keys.topic(holding.application_id, holding.channel), packed("-", "", Topic.MEMBER, removed),
            holding.channel, LINGER if hooked else 0,
        )  # fmt: skip
        if hooked:
            self._hooks.ring(holding.application_id, holding.channel)

    async def rejoin(self) -> None:
        """Under a new identity: everything this node holds is joined again. Raises LinkLost."""
        self._leaving.clear()
        for holding in list(self._held):
            if holding in self._held:
                await self._run_join(holding, 0, "")

    @property
    def is_dirty(self) -> bool:
        return bool(self._leaving)


async def roster_size(lines: Lines, application_id: str, channel: str) -> int:
    return int(await lines.call("HLEN", keys.members(application_id, channel)[1]))


async def user_ids(lines: Lines, application_id: str, channel: str) -> list[str]:
    return [user.decode() for user in await lines.call("HKEYS", keys.members(application_id, channel)[1])]
