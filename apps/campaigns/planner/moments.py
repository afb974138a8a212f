"""Why somebody was planned for the moment they were: what it goes by, and what moved it later. Pure.

Read backwards from the rules that a run is bound to, so it names what the rules can account for and nothing else.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from apps.campaigns.planner.decision import Due, Facts, plan
from apps.campaigns.planner.rules import BestHour, LocalTime, Rules
from apps.messaging.sending.hours import QuietAction, zone_of


class Start(StrEnum):
    """What a moment goes by. NEXT_ROUTE, NO_RECEIPT: the route before had failed, or brought no receipt in time."""

    AT_ONCE = "at_once"
    LOCAL_TIME = "local_time"
    BEST_HOUR = "best_hour"
    WINNER = "winner"
    NEXT_ROUTE = "next_route"
    NO_RECEIPT = "no_receipt"


class Hold(StrEnum):
    """What moved it later. QUEUE: places of the throttle or the provider's day, or room under a frequency cap."""

    QUIET_HOURS = "quiet_hours"
    QUEUE = "queue"


def explained(
    rules: Rules, *, timezone: str, due_at: datetime, began_at: datetime, waited_for_winner: bool
) -> tuple[Start, tuple[Hold, ...]]:
    """began_at: when the run started. The best hour of a person is not told again later, so nothing is said to have
    moved it."""
    if waited_for_winner:
        return Start.WINNER, ()
    if isinstance(rules.timing, BestHour):
        return Start.BEST_HOUR, ()
    start = Start.LOCAL_TIME if isinstance(rules.timing, LocalTime) else Start.AT_ONCE
    wanted = _wanted(rules, timezone, began_at)
    if wanted is None or due_at <= wanted:
        return start, ()
    holds, at = [], wanted
    if rules.quiet is not None and rules.quiet.action is QuietAction.HOLD:
        at = rules.quiet.free_at(wanted, zone_of(timezone, rules.fallback_timezone))
        if at > wanted:
            holds.append(Hold.QUIET_HOURS)
    if due_at > at and (rules.throttle is not None or rules.cap is not None):
        holds.append(Hold.QUEUE)
    return start, tuple(holds)


def _wanted(rules: Rules, timezone: str, began_at: datetime) -> datetime | None:
    """Before anything held it back."""
    bare = Rules(
        rules.base, rules.languages, rules.default_language, fallback_timezone=rules.fallback_timezone,
        timing=rules.timing,
    )  # fmt: skip
    decision = plan(Facts(rules.default_language, timezone), bare, now=max(began_at, rules.base))
    return decision.due_at if isinstance(decision, Due) else None
