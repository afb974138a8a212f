"""Clients of the doorbell. Always asked for by region, never kept in a module global of a caller."""

from functools import lru_cache

import redis
import redis.asyncio
from django.conf import settings


@lru_cache(maxsize=8)
def connect(region: str) -> "redis.Redis":
    """The blocking client of a region's Valkey (thread-safe, pooled). Answers are bytes."""
    return redis.Redis.from_url(settings.VALKEY_URLS[region], socket_timeout=5, socket_connect_timeout=2)


def connect_async(region: str) -> "redis.asyncio.Redis":
    """A new asyncio client; the caller owns and closes it, because it belongs to one event loop."""
    return redis.asyncio.Redis.from_url(
        settings.VALKEY_URLS[region], socket_timeout=5, socket_connect_timeout=2, max_connections=64
    )
