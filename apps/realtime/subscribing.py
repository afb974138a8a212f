"""Subscribing: who may, then in this order: broker, cluster, ack, cached event, what arrived meanwhile, live.

Refusals are `pusher:subscription_error` events (pusher-js hands them to the page); the connection stays open.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from apps.realtime import behaviour, metrics, resuming
from apps.realtime.cluster.presence import ChannelFull, Member
from apps.realtime.protocol import channels, closing, messages, signing
from apps.realtime.protocol.messages import BadMessage, ClientMessage
from apps.realtime.protocol.publications import Publication, marked
from apps.realtime.protocol.tags import BadTags, Filter
from apps.realtime.resuming import Resumed, Wanted
from apps.realtime.tokens.claims import PRESENCE, SUBSCRIBE, Claims, TokenRefused
from apps.realtime.tokens.grants import grant_of, grants_of
from apps.tenants import channel_patterns

if TYPE_CHECKING:
    from apps.realtime.connection import Connection, Subscription
    from apps.realtime.history import LogState
    from apps.realtime.hub import LiveChannel


class _Refused(Exception):
    """kind, message, status: the members of the `pusher:subscription_error` event."""

    def __init__(self, kind: str, message: str, status: int) -> None:
        self.kind, self.message, self.status = kind, message, status
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the client asks for. channel_data: exactly as received, because it is signed that way. position: None for
    plain protocol 7. token: instead of auth and channel_data. chosen: None for every publication."""

    channel: str
    auth: object
    channel_data: str | None
    position: Wanted | None
    token: object = None
    chosen: Filter | None = None


async def subscribe(connection: Connection, message: ClientMessage) -> None:
    """Raises BadMessage, LinkLost, CommandFailed."""
    wish = _wish(messages.fields_of(message), connection)
    try:
        _check_name(connection, wish.channel)
        _check_switches(connection, wish)
        kind = channels.kind_of(wish.channel)
        claims = None
        if kind.needs_auth:
            if wish.token is None:
                _check_auth(connection, wish)
            else:
                claims = await _read_token(connection, wish)
            if not await connection.authorize():
                return
        member = _member(connection, wish, claims) if kind.is_presence else None
        subscription = connection.subscriptions.get(wish.channel)
        if subscription is not None:
            await _acknowledge_again(connection, subscription)
            subscription.channel.choose(connection.socket_id, wish.chosen)
        else:
            await _subscribe(connection, wish, member)
        _keep_grant(connection, wish.channel, claims)
    except _Refused as refused:
        connection.engine.note_error(
            connection.application, refused.message, refused.status, connection.socket_id, wish.channel
        )
        connection.send(messages.subscription_error(wish.channel, refused.kind, refused.message, refused.status))


def _wish(fields: dict[str, Any], connection: Connection) -> _Wish:
    channel, channel_data = fields.get("channel"), fields.get("channel_data")
    if not isinstance(channel, str):
        raise BadMessage("pusher:subscribe needs a channel")
    if channel_data is not None and not isinstance(channel_data, str):
        raise BadMessage("channel_data must be a string")
    position = resuming.wanted(fields, always=connection.wants_positions)
    return _Wish(channel, fields.get("auth"), channel_data, position, fields.get("token"), _filter(fields, channel))


def _filter(fields: dict[str, Any], channel: str) -> Filter | None:
    if fields.get("filter") is None:
        return None
    kind = channels.kind_of(channel)
    if kind.is_cached or kind.is_presence:
        raise BadMessage("A cache or presence channel cannot be filtered")
    try:
        return Filter(fields["filter"])
    except BadTags as error:
        raise BadMessage(str(error)) from None


def _check_name(connection: Connection, name: str) -> None:
    if name.startswith("#"):
        if connection.user_id is None or channels.owner_of(name) != connection.user_id:
            raise _Refused("AuthError", "This is the channel of another user, or nobody is signed in", 401)
    elif not channels.is_channel_name(name):
        raise _Refused("ChannelError", "The channel name is not valid", 400)
    most = connection.application.record.settings.max_subscriptions
    if len(connection.subscriptions) >= most and name not in connection.subscriptions:
        raise _Refused("LimitReached", f"A connection has at most {most} subscriptions", 429)


def _check_switches(connection: Connection, wish: _Wish) -> None:
    missing = resuming.switched_off(wish.position, connection.application.record.settings)
    if missing:
        raise _Refused("SwitchedOff", f"{missing} is switched off for this application", 403)


def _check_auth(connection: Connection, wish: _Wish) -> None:
    text = signing.channel_text(connection.socket_id, wish.channel, wish.channel_data)
    if not signing.is_signed(wish.auth, text, connection.application.record.credentials):
        raise _Refused("AuthError", "The signature of this subscription is not valid", 401)


async def _read_token(connection: Connection, wish: _Wish) -> Claims:
    try:
        claims = await connection.engine.tokens.read(connection.application.record, wish.token)
    except TokenRefused as refused:
        raise _Refused("AuthError", str(refused), 401) from None
    if wish.channel_data is not None:
        raise _Refused("AuthError", "With a token, sub and info say who somebody is: leave channel_data out", 400)
    needed = {SUBSCRIBE, PRESENCE} if channels.kind_of(wish.channel).is_presence else {SUBSCRIBE}
    if not all(claims.allows(capability, wish.channel) for capability in needed):
        raise _Refused("AuthError", "The token does not allow this on this channel", 403)
    if connection.user_id is not None and claims.user_id not in (None, connection.user_id):
        raise _Refused("AuthError", "The token is of another user", 403)
    return claims


def _keep_grant(connection: Connection, name: str, claims: Claims | None) -> None:
    """The newest proof is what counts."""
    if name not in connection.subscriptions:
        return
    if claims is not None:
        grants_of(connection).channels[name] = grant_of(claims)
    elif connection.grants is not None:
        connection.grants.channels.pop(name, None)


def _member(connection: Connection, wish: _Wish, claims: Claims | None) -> Member:
    if claims is not None and claims.user_id is not None:
        user_id: Any = claims.user_id
        user_info = claims.info
    elif wish.channel_data is None:
        if connection.user_id is None:
            raise _Refused("AuthError", "A presence channel needs channel_data or a signed-in user", 401)
        user_id = connection.user_id
        user_info = connection.user_data.get("user_info")
    else:
        fields = messages.fields_of(ClientMessage("", None, wish.channel_data))
        user_id, user_info = fields.get("user_id"), fields.get("user_info")
    if isinstance(user_id, int) and not isinstance(user_id, bool):
        user_id = str(user_id)
    if not isinstance(user_id, str) or not 0 < len(user_id) <= channels.MAX_USER_ID:
        raise _Refused("ChannelError", f"user_id must have 1 to {channels.MAX_USER_ID} characters", 400)
    info = b"" if user_info is None else orjson.dumps(user_info)
    longest = connection.application.record.settings.max_user_info_bytes
    if len(info) > longest:
        raise _Refused("LimitReached", f"user_info is larger than {longest} bytes", 413)
    return Member(user_id, info)


async def listen(connection: Connection, channel: str, position: Wanted, chosen: Filter | None) -> None:
    """For a caller that is known to be allowed, on a channel that is not a presence channel. Raises LinkLost."""
    await _subscribe(connection, _Wish(channel, None, None, position, chosen=chosen), None)


async def _subscribe(connection: Connection, wish: _Wish, member: Member | None) -> None:
    engine, name = connection.engine, wish.channel
    channel = engine.open_channel(connection.application, name)
    channel.wait(connection.socket_id)
    joined = None
    try:
        # Nothing is read before the broker has confirmed, or what is published in between would be missed.
        await asyncio.shield(engine.broker.subscribe(channel.topic))
        await engine.count_subscribers(channel)
        roster, sequence = await _join(connection, channel, member)
        joined = member
        if wish.position is None or name.startswith("#"):
            state, resumed = await _standing(connection, channel), None
        else:
            state, resumed = None, await resuming.resume(connection, channel, wish.position, wish.chosen)
    except BaseException:
        _undo(connection, channel, joined)
        raise
    # From here to the end nothing waits: the event loop is the lock.
    engine.turns.flush(channel.topic)
    if connection.is_closing:
        _undo(connection, channel, member)
        return
    connection.subscriptions[name] = engine.subscription(channel, member)
    channel.choose(connection.socket_id, wish.chosen)
    if not name.startswith("#"):
        user_id = connection.user_id if member is None else member.user_id
        engine.behaviour.note(connection.application, user_id, behaviour.JOINED, channel=name)
    ack = messages.subscription_succeeded(name, roster)
    if resumed is not None:
        _go_on(connection, channel, resumed, ack, sequence)
    else:
        _begin(connection, channel, state, ack, sequence)
    if _is_latest_only(connection, channel) and not connection.is_closing:
        channel.may_lag(connection.socket_id, connection.frames)


async def _standing(connection: Connection, channel: LiveChannel) -> LogState | None:
    """Read by the first subscriber here, so that a later gap shows; by all of a cache channel. Others: None."""
    if channel.name.startswith("#") or (channel.mark is not None and not channel.kind.is_cached):
        return None
    state = await connection.engine.logs.read(channel.application_id, channel.name, begin=True)
    channel.stands_at(state.mark)
    return state


def _begin(connection: Connection, channel: LiveChannel, state: LogState | None, ack: bytes, sequence: int) -> None:
    """A plain subscription."""
    connection.send(ack)
    seen = ""
    if channel.kind.is_cached and state is not None:
        seen = state.cached.id if state.cached else ""
        _replay(connection, channel, state.cached)
    if not channel.go_live(connection.socket_id, connection.frames.write, sequence=sequence, seen=seen):
        connection.close(closing.TOO_SLOW)


def _go_on(connection: Connection, channel: LiveChannel, resumed: Resumed, ack: bytes, sequence: int) -> None:
    """A subscription with positions: the ack says where it starts, then come the publications after that."""
    if resumed.recovered is not None:
        metrics.RESUMES.labels("recovered" if resumed.recovered else "unrecovered").inc()
    connection.send(marked(ack, resumed.start, recovered=resumed.recovered))
    if resumed.replay:
        connection.frames.write(resumed.replay)
        channel.counters.delivered += resumed.count
        channel.counters.bytes += len(resumed.replay)
    elif channel.kind.is_cached and resumed.brings_nothing:
        _replay(connection, channel, resumed.cached)
    channel.go_live_from(connection.socket_id, connection.frames.write, resumed.end, sequence=sequence)


def _is_latest_only(connection: Connection, channel: LiveChannel) -> bool:
    patterns = connection.application.record.settings.latest_only_channels
    return bool(patterns) and not channel.kind.is_presence and channel_patterns.matches(patterns, channel.name)


def _replay(connection: Connection, channel: LiveChannel, cached: Publication | None) -> None:
    if cached is None:
        connection.engine.missed(channel)
    connection.send(cached.json if cached else messages.cache_miss(channel.name))


async def _join(connection: Connection, channel: LiveChannel, member: Member | None) -> tuple[str, int]:
    if member is None:
        return "{}", 0
    record = connection.application.record
    try:
        roster = await connection.engine.membership.presence.join(
            record.application_id, channel.name, member,
            cap=record.settings.max_presence_members, socket_id=connection.socket_id,
        )  # fmt: skip
    except ChannelFull:
        connection.engine.membership.changed()
        limit = record.settings.max_presence_members
        raise _Refused("LimitReached", f"The channel already has its {limit} members", 429) from None
    return roster.as_json(), roster.sequence


async def _acknowledge_again(connection: Connection, subscription: Subscription) -> None:
    channel, roster = subscription.channel, "{}"
    if channel.laggards is not None:
        channel.laggards.deliver_now(connection.socket_id)  # the ack says a later place
    if subscription.member_id is not None:
        roster = await connection.engine.roster(channel)
    ack, mark = messages.subscription_succeeded(channel.name, roster), channel.mark
    is_positioned = connection.socket_id in channel.positioned and mark is not None
    connection.send(marked(ack, mark) if is_positioned and mark is not None else ack)


def leave(connection: Connection, subscription: Subscription) -> None:
    """The reverse of subscribing; the cluster hears of it soon."""
    if subscription.member_id is not None:
        channel = subscription.channel
        connection.engine.membership.presence.leave(channel.application_id, channel.name, subscription.member_id)
    _drop(connection, subscription.channel)


def _undo(connection: Connection, channel: LiveChannel, member: Member | None) -> None:
    if member is not None:
        connection.engine.membership.presence.leave(channel.application_id, channel.name, member.user_id)
    _drop(connection, channel)


def _drop(connection: Connection, channel: LiveChannel) -> None:
    channel.remove(connection.socket_id)
    connection.engine.lost_subscriber(channel)
