"""The planner's decisions as ledger rows. Runs and journeys write them alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from apps.campaigns.planner import Decision, Due
from apps.messaging.content.variants import routes_of_variant
from apps.messaging.ledger import steps as ledger
from apps.messaging.ledger.states import HELD_OUT, Reason
from apps.messaging.ledger.tallies import Tally
from apps.messaging.models import Message
from apps.messaging.sending.strategies import first_routes

#: Subscribers per chunk.
CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class _Part:
    """What the people of a chunk have in common."""

    due_at: datetime
    expires_at: datetime | None = None
    variant: str = ""


def write_decisions(
    message: Message, decisions: Mapping[Decision, list[int]], languages: Mapping[int, str], *, number: int,
    due_at: datetime,
) -> int:  # fmt: skip
    """Chunks of people who are due together, numbered from `number`; those who get nothing lie beside the first, or in
    one of their own that is due at `due_at`. Answers the next number. languages: by person."""
    due: dict[_Part, list[int]] = defaultdict(list)
    held_out: dict[_Part, list[int]] = defaultdict(list)
    suppressed: dict[Reason, list[int]] = defaultdict(list)
    for decision, numbers in decisions.items():
        if isinstance(decision, Due):
            due[_Part(decision.due_at, decision.expires_at, decision.variant)] += numbers
        elif decision.reason is Reason.HOLDOUT:  # measured from when they would have got it
            held_out[_Part(decision.at or due_at, variant=HELD_OUT)] += numbers
        else:
            suppressed[decision.reason] += numbers
    written = _Writing(message, languages, number)
    chunks = list(_chunks(due))
    # Who gets nothing belongs to no variant, so beside variants they have a chunk of their own.
    if message.variants or not chunks:
        chunks.insert(0, (_Part(due_at), []))
    for part, numbers in chunks:
        written.chunk(part, numbers, suppressed)
        suppressed = defaultdict(list)
    for part, numbers in _chunks(held_out):
        written.chunk(part, [], {Reason.HOLDOUT: numbers})
    written.tally.write()
    return written.number


def _chunks(parts: Mapping[_Part, list[int]]) -> Iterator[tuple[_Part, list[int]]]:
    for part, numbers in sorted(parts.items(), key=lambda item: item[0].due_at):
        for start in range(0, len(numbers), CHUNK):
            yield part, numbers[start : start + CHUNK]


class _Writing:
    """Chunks of one message, and the sums of their people."""

    def __init__(self, message: Message, languages: Mapping[int, str], number: int) -> None:
        self.tally = Tally(message.tenant_id, message.pk)
        self.number = number
        self._message, self._languages = message, languages

    def chunk(self, part: _Part, due: Sequence[int], suppressed: Mapping[Reason, Sequence[int]]) -> None:
        for route in first_routes(self._message.strategy, routes_of_variant(self._message, part.variant)):
            self._chunk_on(route, part, due, suppressed)
        self.number += 1

    def _chunk_on(
        self, route: str, part: _Part, due: Sequence[int], suppressed: Mapping[Reason, Sequence[int]]
    ) -> None:
        ledger.plan_deliveries(
            tenant_id=self._message.tenant_id, message_id=self._message.pk, number=self.number, route=route,
            due_at=part.due_at, expires_at=part.expires_at, due=due, suppressed=suppressed, variant=part.variant,
            rank=self._message.rank,
        )  # fmt: skip
        add = partial(self.tally.add, route=route, variant=part.variant, at=part.due_at)
        add("planned", self._languages_of(due))
        for reason, numbers in suppressed.items():
            add("planned", self._languages_of(numbers))
            add("suppressed", self._languages_of(numbers), reason=reason.value)

    def _languages_of(self, people: Sequence[int]) -> Iterator[str]:
        return map(self._languages.__getitem__, people)
