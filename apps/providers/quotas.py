"""How much of a day's quota is left: one count per account and class in Valkey for all workers.

What grows is the number of accounts, never the audience. A wiped Valkey forgets the count; then the network says when
it is enough, and `close` keeps that until the day is over.
"""

from __future__ import annotations

from dataclasses import dataclass

import redis

from apps.core import valkey

_KEPT = 2 * 86_400

_TAKE = """
local state = redis.call('HMGET', KEYS[1], 'used', 'closed')
if state[2] then return 0 end
local limit, wanted, used = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(state[1]) or 0
local granted = wanted
if limit >= 0 then granted = math.max(0, math.min(wanted, limit - used)) end
redis.call('HINCRBY', KEYS[1], 'used', granted)
redis.call('EXPIRE', KEYS[1], ARGV[3])
return granted
"""


@dataclass(frozen=True, slots=True)
class DayQuota:
    """region, key: whose, and of which day. limit: None when nobody has said one."""

    region: str
    key: str
    limit: int | None = None

    def take(self, count: int) -> int:
        """Books up to `count` pushes and answers how many may go. All of them when Valkey is away."""
        limit = -1 if self.limit is None else self.limit
        try:
            script = valkey.connect(self.region).register_script(_TAKE)
            return int(script(keys=[self._key], args=[limit, count, _KEPT]))
        except redis.RedisError:
            return count

    def give_back(self, count: int) -> None:
        """What was booked and not sent."""
        try:
            valkey.connect(self.region).hincrby(self._key, "used", -count)
        except redis.RedisError:
            return

    def close(self) -> None:
        """The network said that it is enough for this day."""
        try:
            with valkey.connect(self.region).pipeline() as pipe:
                pipe.hset(self._key, "closed", "1")
                pipe.expire(self._key, _KEPT)
                pipe.execute()
        except redis.RedisError:
            return

    def used(self) -> int:
        """0 when Valkey is away."""
        try:
            return int(valkey.connect(self.region).hget(self._key, "used") or 0)
        except redis.RedisError:
            return 0

    @property
    def _key(self) -> str:
        return f"push:quota:{{{self.key}}}"
