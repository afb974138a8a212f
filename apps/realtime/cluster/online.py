"""Which users are signed in anywhere: by user and not by connection, over all gateways.

As with presence, only a node's first and last connection of a user touches Valkey, and the script there announces what
changed for the cluster in the same step, on the topic that watchers of the user listen to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from apps.realtime import keys, scripts
from apps.realtime.cluster.identity import Held, Holding, Identity
from apps.realtime.link import Lines
from apps.realtime.protocol import channels, messages
from apps.realtime.protocol.publications import Topic, packed

#: Longer than any change can be under way, in seconds.
_SEQUENCE_TTL = 24 * 3_600


@dataclass(frozen=True, slots=True)
class Status:
    """sequence: changes up to this number are already in it."""

    is_online: bool
    sequence: int


class Online:
    """This node's part."""

    def __init__(self, lines: Lines, identity: Identity) -> None:
        self._lines, self._identity = lines, identity
        self._held: Counter[Holding] = Counter()
        self._leaving: set[Holding] = set()

    async def join(self, application_id: str, user_id: str) -> bool:
        """Counts a connection in; whether the user came online with it. Raises LinkLost, CommandFailed."""
        holding = Holding(Held.ONLINE, application_id, user_id=user_id)
        self._held[holding] += 1
        self._leaving.discard(holding)
        try:
            return await self._run_join(holding)
        except BaseException:
            self.leave(application_id, user_id)
            raise

    def leave(self, application_id: str, user_id: str) -> None:
        """Counts a connection out; `flush` tells the cluster."""
        holding = Holding(Held.ONLINE, application_id, user_id=user_id)
        self._held[holding] -= 1
        if self._held[holding] <= 0:
            del self._held[holding]
            self._leaving.add(holding)

    async def statuses(self, application_id: str, user_ids: Sequence[str]) -> dict[str, Status]:
        """Raises LinkLost, CommandFailed."""
        groups: dict[int, list[str]] = {}
        for user_id in user_ids:
            groups.setdefault(keys.partition_number(user_id), []).append(user_id)
        found: dict[str, Status] = {}
        for group in groups.values():
            names = keys.online(application_id, group[0])[1:]
            sequence, counts = await scripts.run(self._lines, "watched", names, *group)
            pairs = zip(group, counts, strict=True)
            found.update((user_id, Status(count is not None, int(sequence))) for user_id, count in pairs)
        return found

    async def _run_join(self, holding: Holding) -> bool:
        self._identity.note(holding)
        return await self._run(
            "online", self._identity.node, holding, messages.watchlist_events(online=[holding.user_id])
        )

    async def run_leave(self, node: str, holding: Holding) -> None:
        await self._run("offline", node, holding, messages.watchlist_events(offline=[holding.user_id]))

    async def _run(self, script: str, node: str, holding: Holding, json: bytes) -> bool:
        topic = keys.topic(holding.application_id, channels.watch_channel(holding.user_id))
        names = keys.online(holding.application_id, holding.user_id)
        body = packed("-", "", Topic.MEMBER, json)
        return bool(await scripts.run(self._lines, script, names, node, holding.user_id, topic, body, _SEQUENCE_TTL))

    async def flush(self) -> None:
        """Raises LinkLost; what was not told then stays to be told."""
        for holding in list(self._leaving):
            await self.run_leave(self._identity.node, holding)
            if holding not in self._held:
                self._leaving.discard(holding)
                self._identity.strike(holding)

    async def rejoin(self) -> None:
        """Under a new identity: everything this node holds is joined again. Raises LinkLost."""
        self._leaving.clear()
        for holding in list(self._held):
            if holding in self._held:
                await self._run_join(holding)
