"""Everything the data plane has in one event loop: the registry, and one engine per region in use."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

from apps.realtime.bridge import Bridge
from apps.realtime.closings import close_spread
from apps.realtime.connection import Connection
from apps.realtime.engine import Engine
from apps.realtime.protocol import closing
from apps.realtime.registry import Registry, Source

log = logging.getLogger(__name__)


class Plane:
    """Started by whoever needs it first, since not every server has a lifespan. Never shared between loops."""

    def __init__(self, source: Source | None = None) -> None:
        self._bridge = Bridge()
        self.registry = Registry(source or self._bridge)
        self._engines: dict[str, asyncio.Task[Engine]] = {}
        self.is_draining = False

    async def engine(self, region: str) -> Engine:
        """The running engine of a region. Raises OSError, LinkLost while its Valkey does not answer."""
        task = self._engines.get(region)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._engines[region] = asyncio.get_running_loop().create_task(self._start(region))
        return task.result() if task.done() else await asyncio.shield(task)

    async def _start(self, region: str) -> Engine:
        engine = Engine(region, self.registry)
        try:
            await engine.start()
        except BaseException:
            await engine.stop()
            raise
        return engine

    @property
    def engines(self) -> list[Engine]:
        """The running ones."""
        done = (task for task in self._engines.values() if task.done() and not task.cancelled())
        return [task.result() for task in done if task.exception() is None]

    def connections(self) -> Iterator[Connection]:
        for engine in self.engines:
            for application in engine.applications.values():
                yield from application.connections.values()

    async def drain(self, window: float) -> None:
        """Closes every connection with `reconnect now`, spread over so many seconds, then stops the engines."""
        self.is_draining = True
        leaving = list(self.connections())
        log.info("plane.draining connections=%d window=%s", len(leaving), window)
        await close_spread(leaving, closing.RECONNECT, window=window)
        await self._wait_until_empty(5.0)
        for engine in self.engines:
            engine.board.end_lent()
        await self.stop()

    @property
    def _is_busy(self) -> bool:
        return any(self.connections()) or any(engine.board.has_sessions for engine in self.engines)

    async def _wait_until_empty(self, patience: float) -> None:
        deadline = asyncio.get_running_loop().time() + patience
        # Polled, since it happens once in a process's life.
        while self._is_busy and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """Harmless to repeat."""
        for engine in self.engines:
            await engine.stop()
        self._engines.clear()
        await asyncio.to_thread(self._bridge.close)
