"""Watchlists: a signed-in connection hears of some users when they come online and go offline.

Each watched user is a channel of its own in the hub, so that a change is encoded once for all who watch, and nothing is
missed or told twice while the first state is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from apps.realtime.link import CommandFailed, LinkLost
from apps.realtime.protocol import channels, closing, messages

if TYPE_CHECKING:
    from apps.realtime.connection import Connection
    from apps.realtime.engine import Engine
    from apps.realtime.hub import LiveChannel

#: Of one connection; what is beyond it is not watched, and the client is told.
MAX_WATCHED = 100
_RETRY = 0.5


def watchlist_of(user: Mapping[str, Any]) -> list[str] | None:
    """The user ids in `user_data`, each once; None when it is not a list of them."""
    given = user.get("watchlist", [])
    if not isinstance(given, list):
        return None
    ids = [str(each) if type(each) is int else each for each in given]
    return list(dict.fromkeys(ids)) if all(channels.is_user_id(each) for each in ids) else None


async def begin(connection: Connection, user_ids: Sequence[str]) -> None:
    """After the sign-in was acknowledged; replaces an earlier watchlist. Raises LinkLost, CommandFailed."""
    if len(user_ids) > MAX_WATCHED:
        message = f"A watchlist has at most {MAX_WATCHED} users; the first {MAX_WATCHED} are watched"
        connection.refuse(message, closing.WATCHLIST_TOO_LONG)
    stop(connection)
    if not user_ids:
        return
    engine, application = connection.engine, connection.application
    names = [channels.watch_channel(user_id) for user_id in user_ids[:MAX_WATCHED]]
    connection.watched = {name: engine.open_channel(application, name) for name in names}
    try:
        await _watch(connection)
    except BaseException:
        stop(connection)
        raise


async def _watch(connection: Connection) -> None:
    """The whole state first, then changes."""
    engine, watched = connection.engine, connection.watched
    for channel in watched.values():
        channel.remove(connection.socket_id)
        channel.wait(connection.socket_id)
    for confirmed in [engine.broker.subscribe(channel.topic) for channel in watched.values()]:
        await asyncio.shield(confirmed)
    users = {channels.watched_user(name): channel for name, channel in watched.items()}
    found = await engine.membership.online.statuses(connection.application.record.application_id, list(users))
    # From here to the end nothing waits: the event loop is the lock.
    if connection.watched is not watched:
        return
    online = [user_id for user_id in users if found[user_id].is_online]
    offline = [user_id for user_id in users if not found[user_id].is_online]
    connection.send(messages.watchlist_events(online=online, offline=offline))
    for user_id, channel in users.items():
        _go_live(connection, channel, found[user_id].sequence)


def _go_live(connection: Connection, channel: LiveChannel, sequence: int) -> None:
    if not channel.go_live(connection.socket_id, connection.frames.write, sequence=sequence):
        connection.close(closing.TOO_SLOW)


def stop(connection: Connection) -> None:
    """Harmless to repeat."""
    watched, connection.watched = connection.watched, {}
    for channel in watched.values():
        channel.remove(connection.socket_id)
        connection.engine.lost_subscriber(channel)


async def tell_again(engine: Engine) -> None:
    """After the broker connection was lost: changes may have been missed, so everybody gets the whole state."""
    for application in list(engine.applications.values()):
        for connection in list(application.connections.values()):
            while connection.watched:
                try:
                    await _watch(connection)
                    break
                except (LinkLost, CommandFailed):
                    await asyncio.sleep(_RETRY)
