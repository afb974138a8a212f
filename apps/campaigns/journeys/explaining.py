"""The way one person would go, were they to come in now: nothing is written. The steps ask the code that does them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from apps.audience.models import Subscriber
from apps.campaigns.journeys.conditions import people_belonging
from apps.campaigns.journeys.definition import (
    MAX_STEPS,
    Belongs,
    Branch,
    Condition,
    Definition,
    Send,
    Split,
    Step,
    Wait,
    WaitUntil,
    kind_of,
)
from apps.campaigns.journeys.freezing import frozen
from apps.campaigns.journeys.models import Journey, JourneyEntry
from apps.campaigns.journeys.outcomes import Move
from apps.campaigns.journeys.performing import END
from apps.campaigns.journeys.reading import read_definition
from apps.campaigns.journeys.sends import SENT, decide
from apps.campaigns.journeys.waiting import end_of_wait, way_of
from apps.campaigns.planner import Due
from apps.core import clock
from apps.messaging.sending.hours import wall_of, zone_of


@dataclass(frozen=True, slots=True)
class Passed:
    """One step of the way. at: when they leave it. local_time: that, on the person's own clock (naive). result: as in
    JourneyVisit, or `exits[n]` where they leave the journey."""

    step: str
    name: str
    kind: str
    at: datetime
    local_time: datetime
    result: str

    @property
    def local_time_shown(self) -> str:
        """`2026-05-20T09:00:00`, as a clock on the person's wall shows it."""
        return self.local_time.isoformat(timespec="seconds")


def explain_journey(journey: Journey, person: Subscriber) -> list[Passed]:
    """By the draft, with everything as it is now: they do nothing on the way, and a split is drawn once. At most 50
    steps of a loop. Raises JourneyInvalid."""
    definition = read_definition(frozen(journey.application, journey.definition))
    return list(_Rehearsal(journey, definition, person).steps())


class _Rehearsal:
    def __init__(self, journey: Journey, definition: Definition, person: Subscriber) -> None:
        self._journey, self._definition, self._person = journey, definition, person
        self._zone = zone_of(person.timezone, journey.tenant.timezone)
        self._at = clock.now()

    def steps(self) -> Iterator[Passed]:
        step_id: str | None = self._definition.first
        for visit in range(MAX_STEPS):
            if step_id is None:
                return
            step = self._definition.step(step_id)
            exit_number = self._exit()
            if exit_number is not None:
                yield self._passed(step, f"exits[{exit_number}]")
                return
            move = self._move(step, visit)
            yield self._passed(step, move.result)
            step_id = move.next

    def _passed(self, step: Step, result: str) -> Passed:
        return Passed(step.id, step.name, kind_of(step).value, self._at, wall_of(self._at, self._zone), result)

    def _exit(self) -> int | None:
        holds = (number for number, condition in enumerate(self._definition.exits) if self._holds(condition))
        return next(holds, None)

    def _holds(self, condition: Condition) -> bool:
        """Nothing was done since the entry."""
        if not isinstance(condition, Belongs):
            return False
        belongs = people_belonging(condition, {self._person.pk}, self._journey.application)
        return bool(belongs) is condition.inside

    def _move(self, step: Step, visit: int) -> Move:
        """Moves the time to when the step is over."""
        if isinstance(step, Wait | WaitUntil):
            self._at = end_of_wait(step, self._at, self._zone)
        if isinstance(step, Send):
            return Move(step.next, self._send(step))
        if isinstance(step, Branch):
            ahead = step.then if self._holds(step.condition) else step.otherwise
            return Move(ahead, ahead or END)
        if isinstance(step, Split):
            ahead = way_of(step, 0, visit)
            return Move(ahead, ahead or END)
        return Move(step.follows[0])

    def _send(self, step: Send) -> str:
        entry = JourneyEntry(subscriber_id=self._person.pk, arrived_at=self._at)
        [decision] = decide(self._journey, step, [entry], self._at)
        if not isinstance(decision, Due):
            return decision.reason.value
        self._at = decision.due_at
        return SENT
