"""A connection from its admission to its end, whatever transport it came by."""

from __future__ import annotations

from types import TracebackType

from django.conf import settings

from apps.realtime import metrics
from apps.realtime.connection import Connection
from apps.realtime.engine import Engine
from apps.realtime.peers import MAX_QUEUED_BYTES, Frames
from apps.realtime.protocol import closing
from apps.realtime.protocol.closing import Close
from apps.realtime.tokens.grants import Grants
from apps.tenants.queries import ApplicationRecord

#: Connections of one application in one gateway that have yet to authorize; they are in nobody's quota.
MAX_UNAUTHORIZED = 1_000


async def admit(engine: Engine, record: ApplicationRecord, *, is_authorized: bool = False) -> Close | None:
    """Why a connection may not be; None when it may, right away, as a `Session` with the same `is_authorized`.

    Reserves its place in the application's and the tenant's limit, which the end of the session gives back. Where only
    authorized connections are wanted, the place is reserved when it authorizes. Raises LinkLost, CommandFailed.
    """
    if engine.pressure.is_too_high or 0 < settings.GATEWAY_MAX_CONNECTIONS <= engine.open_count:
        return closing.OVER_CAPACITY
    if record.settings.authorized_connections_only and not is_authorized:
        application = engine.application(record)
        return closing.OVER_CAPACITY if application.unauthorized >= MAX_UNAUTHORIZED else None
    cap = record.settings.max_connections
    admitted = await engine.membership.admission.admit(record.tenant_id, record.application_id, cap=cap)
    return None if admitted else closing.CONNECTION_QUOTA


class Session:
    """`with Session(…) as connection`, right after `admit`."""

    __slots__ = ("_connection", "_engine", "_record")

    def __init__(
        self, engine: Engine, record: ApplicationRecord, frames: Frames, client: str, *, is_authorized: bool = False,
        grants: Grants | None = None,
    ) -> None:  # fmt: skip
        self._engine, self._record = engine, record
        self._connection = Connection(engine, engine.application(record), frames, client)
        self._connection.grants = grants
        self._connection.must_authorize = record.settings.authorized_connections_only and not is_authorized

    def __enter__(self) -> Connection:
        connection = self._connection
        connection.application.add(connection)
        self._engine.open_count += 1
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
        engine.open_count -= 1
        engine.leftovers.ended += 1
        if not connection.must_authorize:
            engine.membership.admission.release(record.tenant_id, record.application_id)
        engine.membership.changed()
        metrics.CONNECTIONS.dec()
        end = connection.closed_with or closing.CUT
        engine.tracer.note(
            connection.application, "disconnected", socket_id=connection.socket_id, code=end.code, message=end.reason
        )

    def _too_slow(self) -> None:
        self._connection.application.counters.dropped += 1
        self._connection.close(closing.TOO_SLOW)
