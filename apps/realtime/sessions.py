"""A connection from its admission to its end, whatever transport it came by."""

from __future__ import annotations

from types import TracebackType

from apps.realtime import metrics
from apps.realtime.connection import Connection
from apps.realtime.engine import Engine
from apps.realtime.peers import MAX_QUEUED_BYTES, Frames
from apps.realtime.protocol import closing
from apps.tenants.queries import ApplicationRecord


async def admit(engine: Engine, record: ApplicationRecord) -> bool:
    """Reserves a connection; False when the application or its tenant has as many as it may. Raises LinkLost.

    What is reserved here, the end of a `Session` gives back.
    """
    cap = record.settings.max_connections
    return await engine.membership.admission.admit(record.tenant_id, record.application_id, cap=cap)


class Session:
    """`with Session(…) as connection`, right after `admit`."""

    __slots__ = ("_connection", "_engine", "_record")

    def __init__(self, engine: Engine, record: ApplicationRecord, frames: Frames, client: str) -> None:
        self._engine, self._record = engine, record
        self._connection = Connection(engine, engine.application(record), frames, client)

    def __enter__(self) -> Connection:
        connection = self._connection
        connection.application.add(connection)
        metrics.CONNECTIONS.inc()
        connection.frames.accept_writes(MAX_QUEUED_BYTES, self._too_slow)
        self._engine.tracer.note(
            connection.application, "connected", socket_id=connection.socket_id, client=connection.client
        )
        return connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection, engine, record = self._connection, self._engine, self._record
        connection.leave_channels()
        connection.application.remove(connection)
        engine.membership.admission.release(record.tenant_id, record.application_id)
        engine.membership.changed()
        metrics.CONNECTIONS.dec()
        engine.tracer.note(connection.application, "disconnected", socket_id=connection.socket_id)

    def _too_slow(self) -> None:
        self._connection.application.counters.dropped += 1
        self._connection.close(closing.TOO_SLOW)
