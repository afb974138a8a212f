"""When and whether somebody gets a campaign, and why not. Pure: no database, no clock, no randomness.

The planner's word depends only on what is given, so a dry run and the send agree by being the same call.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from apps.messaging.languages import choose_language
from apps.messaging.states import Reason


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules look at in a person. Few distinct values, so a page of thousands costs a handful of calls."""

    language: str
    timezone: str
    #: Wants nothing at all.
    refuses: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """What the campaign says. base: the instant it starts. languages: those it has words in, in the author's order."""

    base: datetime
    expires_at: datetime | None
    languages: tuple[str, ...]
    default_language: str


@dataclass(frozen=True, slots=True)
class Due:
    due_at: datetime
    language: str


@dataclass(frozen=True, slots=True)
class Suppressed:
    reason: Reason


def plan(facts: Facts, rules: Rules, *, now: datetime) -> Due | Suppressed:
    """now: when the plan is made; nothing is due before it."""
    if facts.refuses:
        return Suppressed(Reason.OPTED_OUT)
    due_at = max(rules.base, now)
    if rules.expires_at is not None and due_at >= rules.expires_at:
        return Suppressed(Reason.EXPIRED)
    return Due(due_at, choose_language(facts.language, rules.default_language, rules.languages))
