"""From an accepted event to the gateways: one script call per channel appends it to the log and announces it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count

from apps.realtime import keys, scripts
from apps.realtime.events import CACHE_TTL, IDEMPOTENCY_TTL, META_TTL, Event, new_publication_id
from apps.realtime.link import Lines
from apps.realtime.protocol import channels
from apps.realtime.protocol.publications import Position, Topic, packed, parse_position
from apps.tenants.application_settings import ApplicationSettings


class _Epochs:
    """Random for the process and its forked children, counted within it: reading the system's randomness is a call."""

    def __init__(self) -> None:
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._process, self._numbers = secrets.token_hex(6), count()

    def next(self) -> str:
        return f"{self._process}{next(self._numbers):x}"


_epochs = _Epochs()


@dataclass(frozen=True, slots=True)
class Published:
    """position: None on a user's own channel, which keeps no log. repeated: an earlier attempt had done it already.
    receivers: gateways that had subscribers."""

    channel: str
    id: str
    position: Position | None
    repeated: bool
    receivers: int


@dataclass(frozen=True, slots=True)
class ScriptCall:
    """Keys and arguments of lua/publish.lua."""

    keys: list[str]
    arguments: list[bytes | str | int]


def script_call(
    application_id: str, settings: ApplicationSettings, event: Event, channel: str, publication_id: str, once: str
) -> ScriptCall:
    """The same for both planes. once: an idempotency key, or empty."""
    topic = keys.topic(application_id, channel)
    names = keys.publication(topic, once)
    body = event.body(channel, publication_id)
    cache_ttl = CACHE_TTL if channels.kind_of(channel).is_cached else 0
    return ScriptCall(names, [
        body, settings.history_size, settings.history_ttl, META_TTL, _epochs.next(),
        topic, IDEMPOTENCY_TTL if once else 0, cache_ttl,
    ])  # fmt: skip


def published(channel: str, publication_id: str, reply: list[bytes | int]) -> Published:
    """Reads the script's answer."""
    position, repeated, receivers = reply
    assert isinstance(position, bytes)
    return Published(channel, publication_id, parse_position(position.decode()), bool(repeated), int(receivers))


def stored_count(done: Iterable[Published], settings: ApplicationSettings) -> int:
    """How many of these publications a channel's log keeps."""
    if not (settings.history_size and settings.history_ttl):
        return 0
    return sum(each.position is not None and not each.repeated for each in done)


class Publications:
    """The data plane's way to publish. Belongs to one event loop."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    async def publish(
        self, application_id: str, settings: ApplicationSettings, event: Event, channel: str, *, once: str = ""
    ) -> Published:
        """Raises LinkLost, CommandFailed."""
        publication_id = new_publication_id()
        if channels.owner_of(channel) is not None:
            body = event.body(channel, publication_id)
            receivers = await self._lines.call("PUBLISH", keys.topic(application_id, channel), b"- " + body)
            return Published(channel, publication_id, None, False, receivers)
        call = script_call(application_id, settings, event, channel, publication_id, once)
        reply = await scripts.run(self._lines, "publish", call.keys, *call.arguments)
        return published(channel, publication_id, reply)

    async def announce(
        self,
        application_id: str,
        channel: str,
        json: bytes,
        *,
        kind: Topic,
        excluded: str = "",
        noting: tuple[str | int, ...] = (),
    ) -> None:
        """A message that no log keeps. noting: what webhooks tell of it, if they do. Raises LinkLost, CommandFailed."""
        topic, body = keys.topic(application_id, channel), b"- " + packed(new_publication_id(), excluded, kind, json)
        if noting:
            hooks, _linger = keys.hooks_of(application_id, channel)
            await scripts.run(self._lines, "announce", [hooks], topic, body, *noting)
        else:
            await self._lines.call("PUBLISH", topic, body)
