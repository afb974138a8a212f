"""Asking the planner about real people, a page at a time. A dry run and a send both come here, so they agree row by
row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache, partial
from typing import Any

from django.db.models import QuerySet, Value

from apps.audience.habits import best_hours
from apps.audience.models import Subscriber, SubscriberQuerySet
from apps.audience.queries import refusal
from apps.campaigns.experiments import Experiment
from apps.campaigns.planner import Decision, Due, Facts, Rules, plan, spread
from apps.campaigns.planner.rules import BestHour
from apps.campaigns.planner.slots import Slots
from apps.messaging.sending.frequency import sends_of
from apps.messaging.sending.hours import zone_of
from apps.tenants.models import Application

#: Row number, then the facts in the planner's order.
Person = tuple[Any, ...]


def arms_of(experiment: Mapping[str, Any] | None, campaign_id: int) -> Callable[[int], str] | None:
    """Who gets which variant, in every run of a campaign: a person keeps theirs. None without an experiment."""
    if experiment is None:
        return None
    return partial(Experiment.from_json(experiment).arm_of, campaign_id)


def people_in(audience: SubscriberQuerySet, rules: Rules) -> QuerySet[Subscriber, Person]:
    """What the planner must know of everybody in an audience, unordered."""
    off = refusal(rules.category) if rules.category else Value(False)
    told = audience.annotate(refuses=refusal(), is_off=off)
    return told.values_list("pk", "language", "timezone", "refuses", "is_off")


class Decider:
    """The rules of a run, or of a dry run, and the places in its slots that were given away so far.

    now: when the run started. but: row number of the run's own message, which no cap counts. arm_of: of a person's row
    number; None without an experiment.
    """

    def __init__(
        self,
        application: Application,
        rules: Rules,
        *,
        now: datetime,
        slots: Slots | None = None,
        but: int = 0,
        arm_of: Callable[[int], str] | None = None,
    ) -> None:
        self._application, self._rules, self._slots, self._but = application, rules, slots, but
        self._now, self._arm_of = now, arm_of
        self._plan = lru_cache(maxsize=4_096)(lambda facts: plan(facts, rules, now=now))

    @property
    def asks_for_facts_alone(self) -> bool:
        """Whether people with the same facts get the same decision, whoever and however many they are."""
        asks_more = self._rules.cap is not None or isinstance(self._rules.timing, BestHour) or self._arm_of is not None
        return self._slots is None and not asks_more

    def decide(self, page: Sequence[Person]) -> dict[Decision, list[int]]:
        """Decision -> row numbers. Must be asked page after page in the same order to give the same slots."""
        alike: dict[Person, list[int]] = defaultdict(list)
        for person in self._informed(page):
            alike[person[1:]].append(person[0])
        decisions: dict[Decision, list[int]] = defaultdict(list)
        for facts, numbers in alike.items():
            for decision, count in self.decide_alike(Facts(*facts), len(numbers)):
                decisions[decision] += numbers[:count]
                numbers = numbers[count:]
        return decisions

    def decide_alike(self, facts: Facts, count: int) -> Iterator[tuple[Decision, int]]:
        """The same for `count` people of whom the same is known, in order."""
        decision = self._plan(facts)
        if self._slots is None or not isinstance(decision, Due):
            yield decision, count
        else:
            yield from spread(decision, count, facts, self._rules, self._slots)

    def _informed(self, page: Sequence[Person]) -> Iterable[Person]:
        """The page with what only some rules ask for."""
        hours: dict[int, int] = {}
        sends: dict[int, tuple[datetime, ...]] = {}
        if isinstance(self._rules.timing, BestHour):
            zones = {person[0]: zone_of(person[2], self._rules.fallback_timezone).key for person in page}
            hours = best_hours(tenant_id=self._application.tenant_id, zones=zones)
        if self._rules.cap is not None:
            sends = sends_of(
                application=self._application, people=[person[0] for person in page], category=self._rules.category,
                since=min(self._rules.base, self._now) - self._rules.cap.window, least=self._rules.cap.count,
                but=self._but,
            )  # fmt: skip
        if self._arm_of is not None:
            arm_of = self._arm_of
            return ((*person, hours.get(person[0]), sends.get(person[0], ()), arm_of(person[0])) for person in page)
        if not hours and not sends:
            return page
        return ((*person, hours.get(person[0]), sends.get(person[0], ())) for person in page)
