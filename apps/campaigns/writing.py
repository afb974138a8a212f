"""The planner's decisions as ledger rows. Runs and journeys write them alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from apps.campaigns.planner import Decision, Suppressed
from apps.messaging import ledger
from apps.messaging.models import Message
from apps.messaging.states import Reason
from apps.messaging.strategies import first_routes

#: Subscribers per chunk.
CHUNK = 1_000


def write_decisions(message: Message, decisions: Mapping[Decision, list[int]], *, number: int, due_at: datetime) -> int:
    """Chunks of people who are due together, numbered from `number`; those who get nothing lie beside the first, or in
    one of their own that is due at `due_at`. Answers the next number."""
    due: dict[tuple[datetime, datetime | None], list[int]] = defaultdict(list)
    suppressed: dict[Reason, list[int]] = defaultdict(list)
    for decision, numbers in decisions.items():
        if isinstance(decision, Suppressed):
            suppressed[decision.reason] += numbers
        else:
            due[decision.due_at, decision.expires_at] += numbers
    parts = [
        (moments, numbers[start : start + CHUNK])
        for moments, numbers in sorted(due.items(), key=lambda item: item[0][0])
        for start in range(0, len(numbers), CHUNK)
    ]
    for (chunk_due_at, expires_at), numbers in parts or [((due_at, None), [])]:
        for route in first_routes(message.strategy, message.routes):
            ledger.plan_deliveries(
                tenant_id=message.tenant_id, message_id=message.pk, number=number, route=route,
                due_at=chunk_due_at, expires_at=expires_at, due=numbers, suppressed=suppressed, rank=message.rank,
            )  # fmt: skip
        suppressed = {}
        number += 1
    return number
