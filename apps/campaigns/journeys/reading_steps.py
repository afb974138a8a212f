"""One reader per kind of step. Each takes the step's object, its id and name, the ids there are and the reader of
conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import time
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.audience.values import ValueProblem, read_attributes, read_tags
from apps.campaigns.journeys.definition import (
    Branch,
    Condition,
    End,
    Kind,
    Send,
    Split,
    Step,
    Update,
    Wait,
    WaitUntil,
    Way,
)
from apps.campaigns.journeys.shapes import Part
from apps.campaigns.reading import read_frequency_cap, read_quiet_hours
from apps.core.errors import HouseError
from apps.messaging.content.rendering import compile_content
from apps.messaging.services import require_follow_up, require_routes
from apps.messaging.services.messages import MAX_TTL

_COMMON = ("id", "name", "kind")
MINUTE, LONGEST_WAIT = 60, 366 * 86_400
_MOST_WAYS = 10

Named = Mapping[str, Any]
ConditionReader = Callable[[object, str], Condition]


def _wait(part: Part, named: Named, known: set[str], _condition: ConditionReader) -> Step:
    part.allow(*_COMMON, "seconds", "next")
    seconds = part.whole("seconds", MINUTE, LONGEST_WAIT)
    assert seconds is not None
    return Wait(**named, next=part.step("next", known), seconds=seconds)


def _wait_until(part: Part, named: Named, known: set[str], _condition: ConditionReader) -> Step:
    part.allow(*_COMMON, "time", "weekdays", "next")
    try:
        shown = time.fromisoformat(str(part.get("time"))).replace(second=0, microsecond=0)
        if shown.tzinfo is not None:
            raise ValueError("has a zone")
    except ValueError:
        raise part.fault("time", _("Give the time as everybody’s own clock shows it, such as 09:00.")) from None
    days = part.list("weekdays", most=7)
    if any(type(day) is not int or not 1 <= day <= 7 for day in days):
        raise part.fault("weekdays", _("A day is a number from 1 for Monday to 7 for Sunday."))
    return WaitUntil(**named, next=part.step("next", known), time=shown, weekdays=frozenset(days))


def _branch(part: Part, named: Named, known: set[str], condition: ConditionReader) -> Step:
    part.allow(*_COMMON, "if", "then", "else")
    asked = condition(part.get("if"), part.at("if"))
    return Branch(**named, condition=asked, then=part.step("then", known), otherwise=part.step("else", known))


def _split(part: Part, named: Named, known: set[str], _condition: ConditionReader) -> Step:
    part.allow(*_COMMON, "ways")
    ways = []
    for number, raw in enumerate(part.list("ways", least=2, most=_MOST_WAYS)):
        way = Part.of(raw, f"{part.at('ways')}[{number}]")
        way.allow("percent", "next")
        percent = way.whole("percent", 0, 100)
        ways.append(Way(percent or 0, way.step("next", known)))
    if sum(way.percent for way in ways) != 100:
        raise part.fault("ways", _("The percentages must add up to 100."))
    return Split(**named, ways=tuple(ways))


def _send(part: Part, named: Named, known: set[str], _condition: ConditionReader) -> Step:
    part.allow(*_COMMON, "content", "template_id", "routes", "category", "ttl", "quiet_hours", "frequency_cap",
               "follow_up", "next")  # fmt: skip
    content, template_id = part.get("content"), part.text("template_id", longest=40, optional=True)
    if (content is None) == (not template_id):
        raise part.fault("content", _("Give the words, or the template that has them; not both."))
    if content is not None:
        _require_content(part, content)
    return Send(
        **named,
        next=part.step("next", known),
        content=content,
        template_id=template_id,
        routes=tuple(_said(part, "routes", require_routes, part.list("routes", least=1, most=10))),
        category=part.text("category", longest=40, optional=True),
        ttl=part.whole("ttl", 1, int(MAX_TTL.total_seconds()), optional=True),
        quiet_hours=_said(part, "quiet_hours", read_quiet_hours, _object(part, "quiet_hours")),
        frequency_cap=_said(part, "frequency_cap", read_frequency_cap, _object(part, "frequency_cap")),
        follow_up=_said(part, "follow_up", require_follow_up, _object(part, "follow_up") or {}),
    )


def _require_content(part: Part, content: object) -> None:
    part.storable("content")
    whole = Part.of(content, part.at("content"))
    for language in whole.given:
        whole.part(language)
    _said(part, "content", compile_content, content)


def _object(part: Part, name: str) -> Mapping[str, Any] | None:
    return None if part.get(name) is None else part.part(name).given


def _said(part: Part, name: str, read: Callable[[Any], Any], value: object) -> Any:
    """What another reader makes of it; its refusal with our path."""
    try:
        return read(value)
    except HouseError as error:
        raise part.fault(name, error.message, **{**error.details, "problem": error.code}) from error
    except TypeError:
        raise part.fault(name, _("This value cannot be used here.")) from None


def _update(part: Part, named: Named, known: set[str], _condition: ConditionReader) -> Step:
    part.allow(*_COMMON, "attributes", "add_tags", "remove_tags", "next")
    try:
        attributes = read_attributes(part.get("attributes") or {})
        tags = [read_tags(part.list(name, most=100)) for name in ("add_tags", "remove_tags")]
    except ValueProblem as problem:
        raise part.fault(problem.field, problem.message, problem=problem.code) from None
    if not attributes and not any(tags):
        raise part.fault("attributes", _("Name an attribute or a tag to change."))
    return Update(**named, next=part.step("next", known), attributes=attributes, add_tags=tags[0], remove_tags=tags[1])


def _end(part: Part, named: Named, _known: set[str], _condition: ConditionReader) -> Step:
    part.allow(*_COMMON, "goal")
    return End(**named, goal=part.text("goal", longest=80, optional=True))


READERS: Mapping[Kind, Callable[[Part, Named, set[str], ConditionReader], Step]] = {
    Kind.WAIT: _wait,
    Kind.WAIT_UNTIL: _wait_until,
    Kind.BRANCH: _branch,
    Kind.SPLIT: _split,
    Kind.SEND: _send,
    Kind.UPDATE: _update,
    Kind.END: _end,
}
