"""Token buckets in Valkey, one per API key or OAuth client and one per tenant; for who asks for OAuth tokens, one per
client and network. When Valkey is away everybody may pass."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
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
    limits, tag = settings.API_RATE_LIMITS, f"api:rate:{{{key.tenant_id}}}"
    return _take(key.region, [f"{tag}:key:{key.public_id}", f"{tag}:tenant"], [limits["key"], limits["tenant"]])


def take_for_client(client_id: str, network: str) -> Allowance | None:
    """One call to the OAuth endpoints. client_id: as somebody wrote it, proved or not.

    A client is counted per network, so that who only knows its id does not lock it out.
    """
    limits, tag = settings.OAUTH_RATE_LIMITS, f"api:oauth:{{{network}}}"
    client = hashlib.sha256(client_id.encode()).hexdigest()[:32]
    return _take(settings.HOME_REGION, [f"{tag}:{client}", f"{tag}:all"], [limits["client"], limits["network"]])


def take_for_network(network: str) -> Allowance | None:
    """One call by a client that has no key. Generous, because a whole mobile network may share an address."""
    limit = settings.CLIENT_RATE_LIMIT
    return _take(settings.HOME_REGION, [f"api:client:{{{network}}}"], [limit])


def _take(region: str, names: Sequence[str], limits: Sequence[tuple[float, float]]) -> Allowance | None:
    """names: of one hash tag, so that the buckets lie on one node of a cluster. limits: capacity, refill per second."""
    try:
        script = valkey.connect(region).register_script(_TAKE)
        answer = script(keys=names, args=[number for limit in limits for number in limit])
    except redis.RedisError:
        return None
    allowed, remaining, full_in, next_in = map(int, answer)
    return Allowance(bool(allowed), math.floor(limits[0][0]), remaining, full_in, next_in)
