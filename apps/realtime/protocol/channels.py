"""Channel names: what is allowed, and what a name's prefix promises."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_NAME = 164
MAX_USER_ID = 128
#: The only channel with a `#`: one signed-in user's own. Everything published there is for that user alone.
USER_PREFIX = "#server-to-user-"
#: Ours, and no client's: changes of one user's online status.
_WATCH_PREFIX = "#watch-"
_NAME = re.compile(r"\A[-a-zA-Z0-9_=@,.;]+\Z")


@dataclass(frozen=True, slots=True)
class Kind:
    """What the prefix of a channel promises."""

    prefix: str
    needs_auth: bool = False
    is_presence: bool = False
    is_cached: bool = False
    is_encrypted: bool = False


_PUBLIC = Kind("")
_USER = Kind(USER_PREFIX)
_WATCH = Kind(_WATCH_PREFIX, is_presence=True)
# In this order, anchored and with the dash: `privateer` and `myprivate-x` are public.
_KINDS = (
    Kind("private-encrypted-cache-", needs_auth=True, is_cached=True, is_encrypted=True),
    Kind("private-encrypted-", needs_auth=True, is_encrypted=True),
    Kind("private-cache-", needs_auth=True, is_cached=True),
    Kind("presence-cache-", needs_auth=True, is_presence=True, is_cached=True),
    Kind("private-", needs_auth=True),
    Kind("presence-", needs_auth=True, is_presence=True),
    Kind("cache-", is_cached=True),
)


def kind_of(name: str) -> Kind:
    """The promises of a valid channel name."""
    if name.startswith("#"):
        return _WATCH if name.startswith(_WATCH_PREFIX) else _USER
    return next((kind for kind in _KINDS if name.startswith(kind.prefix)), _PUBLIC)


def is_channel_name(name: object) -> bool:
    """Whether a client may subscribe to it and a server may publish to it, the users' own channels aside."""
    return isinstance(name, str) and len(name) <= MAX_NAME and _NAME.match(name) is not None


def is_user_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_USER_ID and _NAME.match(value) is not None


def user_channel(user_id: str) -> str:
    return USER_PREFIX + user_id


def watch_channel(user_id: str) -> str:
    return _WATCH_PREFIX + user_id


def watched_user(name: str) -> str:
    """The reverse of `watch_channel`."""
    return name.removeprefix(_WATCH_PREFIX)


def owner_of(name: str) -> str | None:
    """The user id of a user's own channel, None for every other name."""
    user_id = name.removeprefix(USER_PREFIX)
    return user_id if user_id != name and is_user_id(user_id) else None


def is_publishable(name: object) -> bool:
    return is_channel_name(name) or (isinstance(name, str) and owner_of(name) is not None)
