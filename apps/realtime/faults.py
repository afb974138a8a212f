"""What went wrong in an application: counted by code and hour whether or not somebody looks, with the last sentence.

Gateways count in memory and add up in Valkey every few seconds, so an error costs no command of its own.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import orjson

from apps.realtime import keys
from apps.realtime.link import Lines

HOUR = 3_600
#: How long an hour's counts and the last sentences are kept, in hours, the running one included.
HOURS = 24
_TTL = (HOURS + 1) * HOUR
_MAX_TEXT = 200


@dataclass(slots=True)
class _Fault:
    """message: the last one. at: when, in Unix seconds."""

    count: int
    message: str
    at: float


class Faults:
    """Belongs to one event loop. Codes are ours (close codes, error events, error codes of HTTP), so they are few."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._waiting: dict[tuple[str, str], _Fault] = {}

    def note(self, application_id: str, code: int | str, message: str) -> None:
        known = self._waiting.get((application_id, str(code)))
        count = known.count if known is not None else 0
        self._waiting[application_id, str(code)] = _Fault(count + 1, message[:_MAX_TEXT], time.time())

    async def flush(self) -> None:
        """Raises LinkLost, CommandFailed; what may not have been added is then lost: it is for eyes, not for bills."""
        waiting, self._waiting = self._waiting, {}
        done = [reply for (name, code), fault in waiting.items() for reply in self._add(name, code, fault)]
        await asyncio.gather(*done)

    def _add(self, application_id: str, code: str, fault: _Fault) -> list[asyncio.Future[object]]:
        counts, last = keys.fault_counts(application_id, int(fault.at) // HOUR), keys.last_faults(application_id)
        said = orjson.dumps({"at": round(fault.at, 3), "message": fault.message})
        return [
            self._lines.call("HINCRBY", counts, code, fault.count),
            self._lines.call("EXPIRE", counts, _TTL),
            self._lines.call("HSET", last, code, said),
            self._lines.call("EXPIRE", last, _TTL),
        ]
