"""What tokens allow on one connection, until when, and what happens then.

`pusher:token_expiring` comes WARNING seconds before; `pusher:refresh_token` with a new token answers it. A connection
whose own token has run out is closed (4110), a channel whose token has is left (`pusher:subscription_error`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from apps.realtime.protocol import closing, messages
from apps.realtime.tokens.claims import LEEWAY, PUBLISH, SUBSCRIBE, Claims, TokenRefused

if TYPE_CHECKING:
    from apps.realtime.connection import Connection

#: Seconds before the end.
WARNING = 30


@dataclass(slots=True)
class Grant:
    """until: Unix seconds."""

    until: float
    may_publish: bool = True
    is_warned: bool = False

    @property
    def has_lapsed(self) -> bool:
        return time.time() >= self.until + LEEWAY

    @property
    def is_due(self) -> bool:
        """Whether the client is to be warned now."""
        return not self.is_warned and time.time() >= self.until - WARNING


def grant_of(claims: Claims) -> Grant:
    return Grant(claims.expires_at, PUBLISH in claims.can)


@dataclass(slots=True)
class Grants:
    """connection: None when it was not signed in by a token. channels: those that a token let it subscribe to."""

    connection: Grant | None = None
    channels: dict[str, Grant] = field(default_factory=dict)


async def sign_in(connection: Connection, token: object) -> None:
    """As `pusher:signin` with a signature. Raises TokenRefused, LinkLost, CommandFailed."""
    claims = await connection.engine.tokens.read(connection.application.record, token)
    if claims.is_for_channels or claims.user_id is None:
        raise TokenRefused("This is a channel token; signing in takes a connection token")
    if connection.user_id not in (None, claims.user_id):
        raise TokenRefused("This connection is signed in as another user")
    if not await connection.authorize():
        return
    user: dict[str, Any] = {"id": claims.user_id}
    if claims.info is not None:
        user["user_info"] = claims.info
    await connection.signed_in(claims.user_id, user, orjson.dumps(user).decode())
    grants_of(connection).connection = grant_of(claims)


async def open_with(connection: Connection, token: str) -> None:
    """The token in the query of a new connection. A bad one closes it. Raises LinkLost, CommandFailed."""
    try:
        await sign_in(connection, token)
    except TokenRefused as refused:
        connection.engine.note_error(
            connection.application, str(refused), closing.TOKEN_NOT_VALID.code, connection.socket_id
        )
        connection.close(closing.TOKEN_NOT_VALID)


async def refresh(connection: Connection, token: object) -> None:
    """A later token for what an earlier one allowed. Raises TokenRefused."""
    claims = await connection.engine.tokens.read(connection.application.record, token)
    known = connection.user_id is not None or not claims.is_for_channels
    if known and claims.user_id not in (None, connection.user_id):
        raise TokenRefused("The token is of another user")
    grants = grants_of(connection)
    if claims.is_for_channels:
        renewed = [name for name in grants.channels if _renews(connection, name, claims)]
        if not renewed:
            raise TokenRefused("The token covers no channel that a token opened here")
        for name in renewed:
            grants.channels[name] = grant_of(claims)
    elif grants.connection is None:
        raise TokenRefused("This connection was not signed in by a token")
    else:
        renewed, grants.connection = [], grant_of(claims)
    data = orjson.dumps({"expires_at": int(claims.expires_at), "channels": renewed}).decode()
    connection.send(messages.event("pusher:token_refreshed", data))


def _renews(connection: Connection, name: str, claims: Claims) -> bool:
    subscription = connection.subscriptions.get(name)
    if subscription is None or not claims.allows(SUBSCRIBE, name):
        return False
    return subscription.member_id is None or claims.user_id in (None, subscription.member_id)


def grants_of(connection: Connection) -> Grants:
    if connection.grants is None:
        connection.grants = Grants()
    return connection.grants


def check(connection: Connection) -> None:
    """Once a second: warns, leaves, closes."""
    if connection.grants is None or connection.is_closing:
        return
    own = connection.grants.connection
    if own is not None and own.has_lapsed:
        connection.close(closing.TOKEN_EXPIRED)
        return
    if own is not None and own.is_due:
        _warn(connection, own, None)
    for name, grant in list(connection.grants.channels.items()):
        if grant.has_lapsed:
            connection.leave_channel(name)
            connection.send(messages.subscription_error(name, "TokenExpired", "The channel token has expired", 401))
        elif grant.is_due:
            _warn(connection, grant, name)


def _warn(connection: Connection, grant: Grant, channel: str | None) -> None:
    grant.is_warned = True
    data = orjson.dumps({"expires_in": max(0, int(grant.until - time.time()))}).decode()
    connection.send(messages.event("pusher:token_expiring", data, channel))
