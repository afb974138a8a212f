"""One look at an application's live state, filtered by a word, ready for the template. Reads Valkey, not PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis import RedisError

from apps.realtime import queries
from apps.realtime.queries import FaultCount, LiveConnection, OccupiedChannel, Step, Trace

#: What one refresh shows of each list; the filter finds the rest.
SHOWN = 50
_FEED_READ = 300
_SHOWN_MEMBERS = 20
#: Of the feed's entries.
KINDS = ("published", "error", "connected", "disconnected")
_TONES = {"published": "info", "error": "bad", "connected": "good"}
_OWN_COLUMNS = {"event", "channel", "channels", "socket_id", "data", "message", "code"}


@dataclass(frozen=True, slots=True)
class Sieve:
    """What is looked for: parts of words, case-folded; empty where everything is welcome.

    word: anywhere. kind: of the feed's entries. channel: its name. connection: socket id, user or client.
    """

    word: str = ""
    kind: str = ""
    channel: str = ""
    connection: str = ""

    @property
    def is_open(self) -> bool:
        return not (self.word or self.kind or self.channel or self.connection)

    def takes_row(self, row: FeedRow) -> bool:
        return (
            self.kind in ("", row.kind)
            and _has(self.word, *row.words)
            and _has(self.channel, *row.channels)
            and _has(self.connection, row.socket_id, row.detail if row.kind == "connected" else "")
        )

    def takes_channel(self, channel: OccupiedChannel) -> bool:
        return _has(self.word, channel.name) and _has(self.channel, channel.name)

    def takes_connection(self, connection: LiveConnection) -> bool:
        own = (connection.socket_id, connection.user_id or "", connection.client)
        return (
            _has(self.word, *own, *connection.channels)
            and _has(self.channel, *connection.channels)
            and _has(self.connection, *own)
        )

    def takes_fault(self, fault: FaultCount) -> bool:
        return _has(self.word, fault.code, fault.message)


@dataclass(frozen=True, slots=True)
class FeedRow:
    """tone: css of the pill. subject: the event, or what went wrong. detail: data or other facts, as text."""

    id: str
    at: datetime
    kind: str
    tone: str
    subject: str
    channels: tuple[str, ...]
    socket_id: str
    detail: str

    @property
    def words(self) -> tuple[str, ...]:
        """What the filter looks into."""
        return (self.kind, self.subject, self.detail, self.socket_id, *self.channels)


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """members: user ids on a presence channel, as many as are shown; None on other channels."""

    name: str
    connections: int
    member_count: int | None
    members: Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Look:
    """is_reachable: False when Valkey did not answer; then the rest is empty. counts are of all, lists of what fits."""

    is_reachable: bool
    connection_count: int = 0
    channel_count: int = 0
    feed: Sequence[FeedRow] = ()
    channels: Sequence[ChannelRow] = ()
    connections: Sequence[LiveConnection] = ()
    faults: Sequence[FaultCount] = ()
    fault_count: int = 0


def look(*, region: str, tenant_id: int, application_id: str, sieve: Sieve) -> Look:
    """Also keeps the gateways' feed switched on, as long as somebody keeps looking."""
    try:
        queries.watch(region=region, application_id=application_id)
        count = queries.connection_count(region=region, tenant_id=tenant_id, application_id=application_id)
        connections = queries.live_connections(region=region, application_id=application_id)
        feed = [_row(trace) for trace in queries.trace_feed(
            region=region, application_id=application_id, limit=_FEED_READ
        )]  # fmt: skip
        channels = queries.occupied_channels(region=region, application_id=application_id)
        wanted = [channel for channel in channels if sieve.takes_channel(channel)][:SHOWN]
        rows = [_channel_row(region, application_id, channel) for channel in wanted]
        faults = queries.fault_report(region=region, application_id=application_id)
    except RedisError:
        return Look(is_reachable=False)
    return Look(
        is_reachable=True,
        connection_count=count,
        channel_count=len(channels),
        feed=[row for row in feed if sieve.takes_row(row)][:SHOWN],
        channels=rows,
        connections=[each for each in connections if sieve.takes_connection(each)][:SHOWN],
        faults=[fault for fault in faults if sieve.takes_fault(fault)][:SHOWN],
        fault_count=sum(fault.count for fault in faults),
    )


@dataclass(frozen=True, slots=True)
class Trail:
    """connection: None when no gateway lists it."""

    is_reachable: bool
    connection: LiveConnection | None = None
    steps: Sequence[Step] = ()


def look_at_connection(*, region: str, application_id: str, socket_id: str) -> Trail:
    """Also keeps its frames recorded, as long as somebody keeps looking."""
    try:
        queries.follow(region=region, application_id=application_id, socket_id=socket_id)
        listed = queries.live_connections(region=region, application_id=application_id)
        steps = queries.trail(region=region, application_id=application_id, socket_id=socket_id)
    except RedisError:
        return Trail(is_reachable=False)
    return Trail(True, next((each for each in listed if each.socket_id == socket_id), None), steps)


def _channel_row(region: str, application_id: str, channel: OccupiedChannel) -> ChannelRow:
    members = None
    if channel.users is not None:
        everybody = queries.presence_members(region=region, application_id=application_id, channel=channel.name)
        members = everybody[:_SHOWN_MEMBERS]
    return ChannelRow(channel.name, channel.connections, channel.users, members)


def _row(trace: Trace) -> FeedRow:
    facts = trace.facts
    channels = facts.get("channels") or ([facts["channel"]] if facts.get("channel") else [])
    return FeedRow(
        id=trace.id,
        at=trace.at,
        kind=trace.kind,
        tone=_TONES.get(trace.kind, ""),
        subject=_text(facts.get("event") or facts.get("message") or ""),
        channels=tuple(map(str, channels)),
        socket_id=_text(facts.get("socket_id") or ""),
        detail=_detail(facts),
    )


def _detail(facts: Any) -> str:
    if "data" in facts:
        return _text(facts["data"])
    rest = {name: value for name, value in facts.items() if name not in _OWN_COLUMNS and value not in (None, "")}
    code = [str(facts["code"])] if facts.get("code") else []
    return " · ".join([*code, *(f"{name} {_text(value)}" for name, value in rest.items())])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _has(word: str, *texts: str) -> bool:
    return not word or any(word in text.casefold() for text in texts)
