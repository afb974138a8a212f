"""Token buckets in Valkey, one per API key and one per tenant. When Valkey is away everybody may pass."""

from __future__ import annotations

import math
from dataclasses import dataclass

import redis
from django.conf import settings

from apps.core import valkey
from apps.tenants.queries import KeyRecord

#: For each key a capacity and a refill per second. Takes one token from all buckets or from none; answers whether it
#: did, and of the emptiest bucket the tokens left, the seconds until it is full and until its next token.
_TAKE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local allowed, levels = 1, {}
for i, key in ipairs(KEYS) do
  local capacity, rate = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local stored = redis.call('HMGET', key, 'level', 'at')
  local level, at = tonumber(stored[1]) or capacity, tonumber(stored[2]) or now
  levels[i] = math.min(capacity, level + math.max(0, now - at) * rate)
  if levels[i] < 1 then allowed = 0 end
end
local least, full, wait = nil, 0, 0
for i, key in ipairs(KEYS) do
  local capacity, rate = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local level = levels[i] - allowed
  redis.call('HSET', key, 'level', tostring(level), 'at', string.format('%.6f', now))
  redis.call('EXPIRE', key, math.ceil(capacity / rate) + 1)
  if not least or level < least then
    least, full, wait = level, (capacity - level) / rate, math.max(0, (1 - level) / rate)
  end
end
return {allowed, math.floor(least), math.ceil(full), math.ceil(wait)}
"""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left after this request. Seconds are whole and rounded up."""

    allowed: bool
    limit: int
    remaining: int
    full_in: int
    next_in: int

    @property
    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.full_in),
        }


def take(key: KeyRecord) -> Allowance | None:
    """One request's worth, or None when nobody can count."""
    limits = settings.API_RATE_LIMITS
    # One hash tag, so that both buckets lie on one node of a cluster.
    names = [f"api:rate:{{{key.tenant_id}}}:key:{key.key_pk}", f"api:rate:{{{key.tenant_id}}}:tenant"]
    arguments = [number for name in ("key", "tenant") for number in limits[name]]
    try:
        script = valkey.connect(key.region).register_script(_TAKE)
        allowed, remaining, full_in, next_in = script(keys=names, args=arguments)
    except redis.RedisError:
        return None
    return Allowance(bool(allowed), math.floor(limits["key"][0]), int(remaining), int(full_in), int(next_in))
