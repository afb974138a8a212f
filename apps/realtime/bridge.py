"""The one place where the data plane meets the database: looks credentials up in threads of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TypeVar

from django.db import close_old_connections, connections

from apps.realtime.platform import find_platform
from apps.tenants import queries
from apps.tenants.queries import ApplicationRecord, KeyRecord

R = TypeVar("R")
_THREADS = 2


class Bridge:
    """A `registry.Source`. Two threads, so that a flood of unknown keys cannot use up the database's connections."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="registry")

    async def application_by_key(self, key: str) -> ApplicationRecord | None:
        return find_platform(key=key) or await self._run(partial(queries.find_application, key=key))

    async def application_by_id(self, application_id: str) -> ApplicationRecord | None:
        own = find_platform(application_id=application_id)
        return own or await self._run(partial(queries.find_application, application_id=application_id))

    async def api_key(self, token: str) -> KeyRecord | None:
        return await self._run(partial(queries.find_bearer, token))

    async def _run(self, question: Callable[[], R]) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _asked, question)

    def close(self) -> None:
        """Closes the threads' database connections and the threads. Harmless to repeat."""
        with suppress(RuntimeError):  # already shut down
            for _ in range(_THREADS):
                self._threads.submit(connections.close_all)
        self._threads.shutdown(wait=True)


def _asked(question: Callable[[], R]) -> R:
    close_old_connections()
    try:
        return question()
    finally:
        close_old_connections()
