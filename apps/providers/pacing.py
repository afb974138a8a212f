"""How fast a credential may send: one bucket in Valkey for all workers, corrected by what the network answers.

The bucket is a moment (GCRA): the time at which everything granted so far will have been sent at the present rate. A
wiped Valkey forgets it, which costs one burst and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import redis

from apps.core import valkey

#: After a throttled answer half the speed; for every clean period 5 % of the nominal speed more.
_PERIOD = 10.0
_RISE = 0.05
_LOWEST = 0.01
#: Of the speed, where a ramp begins.
_FIRST_STEP = 0.1

_TAKE = """
local now = redis.call('TIME'); now = now[1] + now[2] / 1e6
local nominal, count, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local ramp, speed = tonumber(ARGV[6]), 1
local state = redis.call('HMGET', KEYS[1], 'due', 'share', 'since', 'begun')
local due, share, since = tonumber(state[1]) or 0, tonumber(state[2]) or 1, tonumber(state[3]) or now
if ramp > 0 then
    local begun = tonumber(state[4])
    if not begun or now - due > ramp then begun = now end
    speed = math.min(1, math.max(tonumber(ARGV[7]), (now - begun) / ramp))
    redis.call('HSET', KEYS[1], 'begun', string.format('%.6f', begun))
end
local periods = math.floor((now - since) / tonumber(ARGV[4]))
if periods > 0 then
    share = math.min(1, share + periods * tonumber(ARGV[5]))
    since = since + periods * tonumber(ARGV[4])
end
due = math.max(due, now - burst) + count / (nominal * share * speed)
redis.call('HSET', KEYS[1], 'due', string.format('%.6f', due), 'share', share, 'since', string.format('%.6f', since))
redis.call('EXPIRE', KEYS[1], 3600)
return tostring(math.max(0, due - now))
"""

_SLOW_DOWN = """
local now = redis.call('TIME'); now = now[1] + now[2] / 1e6
local share = tonumber(redis.call('HGET', KEYS[1], 'share')) or 1
local due = tonumber(redis.call('HGET', KEYS[1], 'due')) or now
redis.call('HSET', KEYS[1], 'share', math.max(tonumber(ARGV[2]), share / 2), 'since', string.format('%.6f', now),
    'due', string.format('%.6f', math.max(due, now + tonumber(ARGV[1]))))
redis.call('EXPIRE', KEYS[1], 3600)
return 1
"""


@dataclass(frozen=True, slots=True)
class Pace:
    """region, key: whose bucket. per_second: the network's own number. burst: seconds of it that may come at once.

    ramp: seconds in which the speed rises to that number after as long a rest; 0: it is there at once.
    """

    region: str
    key: str
    per_second: float
    burst: float = 1.0
    ramp: float = 0.0

    def take(self, count: int) -> float:
        """Books `count` pushes and answers how many seconds to wait before sending them. 0 when Valkey is away."""
        try:
            script = valkey.connect(self.region).register_script(_TAKE)
            shape = [self.per_second, count, self.burst, _PERIOD, _RISE, self.ramp, _FIRST_STEP]
            return float(script(keys=[self._key], args=shape))
        except redis.RedisError:
            return 0.0

    def share(self) -> float:
        """The part of the nominal speed that is left after complaints; 1 when Valkey is away."""
        try:
            return float(valkey.connect(self.region).hget(self._key, "share") or 1.0)
        except redis.RedisError:
            return 1.0

    def slow_down(self, wait: float) -> None:
        """The network said it was too much: half as fast from now on, and nobody for `wait` seconds."""
        try:
            script = valkey.connect(self.region).register_script(_SLOW_DOWN)
            script(keys=[self._key], args=[wait, _LOWEST])
        except redis.RedisError:
            return

    @property
    def _key(self) -> str:
        return f"push:pace:{{{self.key}}}"
