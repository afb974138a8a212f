"""Applications and API keys as the data plane knows them: cached for moments, dropped when Valkey says they changed."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from apps.tenants.queries import ApplicationRecord, KeyRecord

TTL = 30.0
#: Entries of each kind. What nobody asked for longest goes first, so a flood of unknown keys only evicts itself.
MAX_ENTRIES = 10_000
MAX_UNKNOWN = 2_000
MAX_CREDENTIAL = 200

R = TypeVar("R")


class Source(Protocol):
    """Where records come from: `bridge.Bridge`, or a test's own."""

    async def application_by_key(self, key: str) -> ApplicationRecord | None: ...

    async def application_by_id(self, application_id: str) -> ApplicationRecord | None: ...

    async def api_key(self, token: str) -> KeyRecord | None: ...


@dataclass(slots=True)
class _Entry(Generic[R]):
    value: R
    expires_at: float


class _Cache(Generic[R]):
    """Known and unknown values apart, both bounded; concurrent questions about one name are asked once."""

    def __init__(self, ask: Callable[[str], Awaitable[R | None]]) -> None:
        self._ask = ask
        self._known: OrderedDict[str, _Entry[R]] = OrderedDict()
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._asking: dict[str, asyncio.Task[R | None]] = {}
        self._generation = 0

    async def get(self, name: str) -> R | None:
        now = time.monotonic()
        entry = self._known.get(name)
        if entry is not None and entry.expires_at > now:
            return entry.value
        if self._unknown.get(name, 0) > now or not _is_plausible(name):
            return None
        task = self._asking.get(name)
        if task is None:
            task = self._asking[name] = asyncio.get_running_loop().create_task(self._load(name))
        return await asyncio.shield(task)

    async def _load(self, name: str) -> R | None:
        generation = self._generation
        try:
            value = await self._ask(name)
        finally:
            del self._asking[name]
        if generation == self._generation:  # else it may be older than a change we were told of meanwhile
            self._remember(name, value)
        return value

    def _remember(self, name: str, value: R | None) -> None:
        expires_at = time.monotonic() + TTL
        self._known.pop(name, None)
        self._unknown.pop(name, None)
        if value is None:
            self._unknown[name] = expires_at
        else:
            self._known[name] = _Entry(value, expires_at)
        while len(self._known) > MAX_ENTRIES:
            self._known.popitem(last=False)
        while len(self._unknown) > MAX_UNKNOWN:
            self._unknown.popitem(last=False)

    def forget(self, concerns: Callable[[R], bool]) -> None:
        self._generation += 1
        self._unknown.clear()
        for name in [name for name, entry in self._known.items() if concerns(entry.value)]:
            del self._known[name]


def _is_plausible(name: str) -> bool:
    return 0 < len(name) <= MAX_CREDENTIAL and name.isascii() and name.isprintable()


class Registry:
    """Belongs to one event loop."""

    def __init__(self, source: Source) -> None:
        self._by_key = _Cache(source.application_by_key)
        self._by_id = _Cache(source.application_by_id)
        self._api_keys = _Cache(source.api_key)

    async def application_by_key(self, key: str) -> ApplicationRecord | None:
        return await self._by_key.get(key)

    async def application(self, application_id: str) -> ApplicationRecord | None:
        return await self._by_id.get(application_id)

    async def api_key(self, token: str) -> KeyRecord | None:
        return await self._api_keys.get(token)

    def changed(self, application_id: str | None = None) -> None:
        """Forgets one application and its keys; everything, when some message may have been missed."""

        def concerns(record: ApplicationRecord | KeyRecord) -> bool:
            return application_id is None or record.application_id == application_id

        self._by_key.forget(concerns)
        self._by_id.forget(concerns)
        self._api_keys.forget(concerns)
