"""JSON to a Definition, saying what is wrong by its path.

{"trigger": {"event": "cart_left", "where": [{"key": "total", "relation": ">", "value": 20}]} | null,
 "reentry": {"rule": "once"} | {"rule": "after", "days": 7} | {"rule": "always", "one_at_a_time": true},
 "entries_per_minute": 600 | null,
 "sends_per_minute": 600 | null,
 "exits": [condition, …],
 "steps": [step, …]}

condition = {"event": "purchase", "where": […]} | {"segment_id": "seg_…", "inside": true} | {"rules": {…}, "inside": true}
step = {"id": "a", "name": "…", "kind": …, …}, with
    wait        seconds, next                   wait_until  time ("09:00"), weekdays ([1, …, 7]), next
    branch      if (condition), then, else      split       ways ([{"percent": 50, "next": …}, …])
    send        content | template_id, routes, category, ttl, quiet_hours, frequency_cap, follow_up, next
    update      attributes, add_tags, remove_tags, next
    end         goal
"""  # noqa: E501  # one line per shape

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.audience.segments import Leaf, RuleError, parse
from apps.campaigns.errors import JourneyInvalid
from apps.campaigns.journeys.definition import (
    MAX_EXITS,
    MAX_STEPS,
    Belongs,
    Condition,
    Definition,
    Did,
    Kind,
    Reentry,
    ReentryRule,
    Step,
)
from apps.campaigns.journeys.reading_steps import READERS
from apps.campaigns.journeys.shapes import Part

MOST_PER_MINUTE = 60_000
MOST_DAYS = 366


def read_definition(raw: object) -> Definition:
    """Raises JourneyInvalid with the path of the first thing that is wrong."""
    part = Part.of(raw, "")
    part.allow("trigger", "reentry", "entries_per_minute", "sends_per_minute", "exits", "steps")
    trigger = part.get("trigger")
    exits = part.list("exits", most=MAX_EXITS)
    return Definition(
        trigger=_happening(Part.of(trigger, "trigger")) if trigger is not None else None,
        reentry=_reentry(part.part("reentry") if part.get("reentry") is not None else Part({}, "reentry")),
        entries_per_minute=part.whole("entries_per_minute", 1, MOST_PER_MINUTE, optional=True),
        exits=tuple(read_condition(one, f"exits[{n}]") for n, one in enumerate(exits)),
        steps=_steps(part.list("steps", least=1, most=MAX_STEPS)),
        sends_per_minute=part.whole("sends_per_minute", 1, MOST_PER_MINUTE, optional=True),
    )


def _reentry(part: Part) -> Reentry:
    part.allow("rule", "days", "one_at_a_time")
    rule = ReentryRule(part.one_of("rule", [rule.value for rule in ReentryRule], default=ReentryRule.ONCE.value))
    days = part.whole("days", 1, MOST_DAYS) if rule is ReentryRule.AFTER else 0
    if rule is not ReentryRule.AFTER and part.get("days") is not None:
        raise part.fault("days", _("Only “after” takes days."))
    alone = part.flag("one_at_a_time", default=True)
    if not alone and rule is not ReentryRule.ALWAYS:
        raise part.fault("one_at_a_time", _("Only who may always come in again can be in the journey twice."))
    return Reentry(rule, days or 0, alone)


def read_condition(raw: object, path: str) -> Condition:
    part = Part.of(raw, path)
    kinds = [name for name in ("event", "rules", "segment_id") if name in part.given]
    if len(kinds) != 1:
        raise JourneyInvalid(path, _("A condition has one of “event”, “rules” and “segment_id”."))
    if kinds == ["event"]:
        return Did(_happening(part))
    part.allow(kinds[0], "inside")
    inside = part.flag("inside", default=True)
    if kinds == ["segment_id"]:
        return Belongs(None, part.text("segment_id", longest=40), inside)
    with_path = f"{path}.rules"
    _parsed(part.get("rules"), with_path)
    return Belongs(part.get("rules"), "", inside)


def _happening(part: Part) -> Leaf:
    part.allow("event", "where")
    rule = {"field": "event", "key": part.get("event"), "relation": "exists", "where": part.get("where") or []}
    leaf = _parsed(rule, part.path, key="event")
    assert isinstance(leaf, Leaf)
    return leaf


def _parsed(rules: object, path: str, key: str = "key") -> Any:
    """A segment's rules. key: how their member of that name is called here."""
    try:
        return parse(rules)
    except RuleError as error:
        inner = key if error.path == "key" else error.path
        raise JourneyInvalid(f"{path}.{inner}" if inner else path, error.message) from error


def _steps(raw: list[Any]) -> tuple[Step, ...]:
    parts = [Part.of(one, f"steps[{n}]") for n, one in enumerate(raw)]
    known: set[str] = set()
    for part in parts:
        step_id = part.identifier("id")
        if step_id in known:
            raise part.fault("id", _("Two steps have this id."))
        known.add(step_id)
    return tuple(_step(part, known) for part in parts)


def _step(part: Part, known: set[str]) -> Step:
    kind = Kind(part.one_of("kind", [kind.value for kind in Kind]))
    reader: Callable[[Part, Mapping[str, Any], set[str], Any], Step] = READERS[kind]
    named = {"id": part.identifier("id"), "name": part.text("name", longest=80, optional=True)}
    return reader(part, named, known, read_condition)
