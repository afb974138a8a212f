"""By which routes a campaign goes, in what order, and how many sends that may come to. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apps.messaging.sending.strategies import Strategy, plan_for


@dataclass(frozen=True, slots=True)
class Way:
    """One route. is_first: everybody is sent to by it; otherwise those whom the one before did not reach, and when
    `after` is not None those too who report no receipt within so many seconds. extra: sends that may come on top of
    one per person, at most."""

    route: str
    is_first: bool
    after: int | None = None
    extra: int = 0


def ways_of(strategy: str, routes: Sequence[str], *, fallback_after: int | None, people: int) -> list[Way]:
    """In the order of use. Who was not reached by a route costs nothing there, so without `fallback_after` a further
    route is no further send."""
    plan = plan_for(Strategy(strategy), routes)
    first = [Way(route, True, extra=people if number else 0) for number, route in enumerate(plan.at_first)]
    again = people if fallback_after is not None else 0
    return first + [Way(route, False, fallback_after, again) for route in plan.in_turn]


def extra_sends(
    strategy: str, routes: Mapping[str, Sequence[str]], *, fallback_after: int | None, people: Mapping[str, int]
) -> int:
    """At most, over all variants. routes, people: by variant."""
    return sum(
        way.extra
        for variant, count in people.items()
        for way in ways_of(strategy, routes[variant], fallback_after=fallback_after, people=count)
    )
