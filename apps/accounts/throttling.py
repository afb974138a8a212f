"""How often somebody may guess, or make us write letters. Counted in Valkey; without it the answer is no."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from redis.exceptions import RedisError

from apps.accounts.errors import GuardUnavailable, TooManyGuesses
from apps.core import valkey


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` within `window`, per key. The window starts with the first use."""

    name: str
    count: int
    window: timedelta


#: Guesses of passwords from one network over all accounts; one account's own limit is django-axes'.
SIGN_INS = Limit("sign-in", 60, timedelta(minutes=15))
SIGN_UPS = Limit("sign-up", 20, timedelta(hours=1))
RESETS_FROM_NETWORK = Limit("reset-network", 20, timedelta(hours=1))
RESETS_OF_ADDRESS = Limit("reset-address", 5, timedelta(hours=1))
#: Wrong codes of one person, on top of the growing pause of each authenticator, and from one network.
CODES_OF_PERSON = Limit("code-person", 20, timedelta(minutes=15))
CODES_FROM_NETWORK = Limit("code-network", 60, timedelta(minutes=15))
INVITATIONS = Limit("invitation", 50, timedelta(hours=1))

_SPEND = """
local used = redis.call('INCR', KEYS[1])
if used == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return {used, redis.call('PTTL', KEYS[1])}
"""


def spend(limit: Limit, key: str) -> None:
    """Takes one. Raises TooManyGuesses with the wait, GuardUnavailable when nobody can count."""
    try:
        name = f"guard:{limit.name}:{key}"
        milliseconds = int(limit.window.total_seconds() * 1000)
        used, left = valkey.connect(settings.HOME_REGION).eval(_SPEND, 1, name, milliseconds)
    except RedisError as error:
        raise GuardUnavailable from error
    if used > limit.count:
        raise TooManyGuesses(retry_after=max(1, left // 1000))


def digest(text: str) -> str:
    """A key that shows nobody's address to who reads Valkey."""
    return hashlib.sha256(text.encode()).hexdigest()
