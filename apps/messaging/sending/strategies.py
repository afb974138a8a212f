"""How a message goes about its routes: our own socket and the networks, together, alone or in turn. Pure.

The pipeline steps on by outcomes, with `steps_on` and `next_route`; who waits for a receipt and gets none asks
`next_route` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from apps.providers.base import Outcome, Result, Scope

OWN = "realtime"


class Strategy(StrEnum):
    """IN_SEQUENCE: the routes as given. REALTIME_FIRST: the own socket, then the rest. ROUTE_FIRST: the rest, then the
    own socket. REALTIME_ONLY, ROUTE_ONLY: one of the two. ALL: every route at once, whatever the others did."""

    IN_SEQUENCE = "in_sequence"
    REALTIME_FIRST = "realtime_first"
    ROUTE_FIRST = "route_first"
    REALTIME_ONLY = "realtime_only"
    ROUTE_ONLY = "route_only"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Plan:
    """at_first: routes that are asked at once. in_turn: those that follow the last of them, one by one."""

    at_first: tuple[str, ...]
    in_turn: tuple[str, ...] = ()


def plan_for(strategy: Strategy, routes: Sequence[str]) -> Plan:
    """routes: as the author gave them, in order, without repeats. Raises ValueError when the strategy leaves none."""
    others = [route for route in routes if route != OWN]
    ordered = {
        Strategy.IN_SEQUENCE: list(routes),
        Strategy.REALTIME_FIRST: [OWN, *others],
        Strategy.ROUTE_FIRST: [*others, OWN],
        Strategy.REALTIME_ONLY: [OWN],
        Strategy.ROUTE_ONLY: others,
        Strategy.ALL: list(routes),
    }[strategy]
    if not ordered:
        raise ValueError("no route is left")
    if strategy is Strategy.ALL:
        return Plan(tuple(ordered))
    return Plan((ordered[0],), tuple(ordered[1:]))


def first_routes(strategy: str, routes: Sequence[str]) -> tuple[str, ...]:
    """Those that a message with these stored words is planned on."""
    return plan_for(Strategy(strategy), routes).at_first


def steps_on(outcome: Outcome, *, at_least_once: bool) -> bool:
    """Whether a person's final outcome on a route asks for the next one.

    Words that one network refuses are not tried on the next: that is our mistake and not the person's. Who may have it
    gets it by another way only where the tenant would rather have it twice than never.
    """
    if outcome.result is Result.ACCEPTED:
        return False
    if outcome.result is Result.UNKNOWN:
        return at_least_once
    return outcome.scope is not Scope.MESSAGE


def next_route(plan: Plan, route: str) -> str | None:
    """What follows this route; None: nothing."""
    later = plan.in_turn[plan.in_turn.index(route) + 1 :] if route in plan.in_turn else plan.in_turn
    return later[0] if later else None
