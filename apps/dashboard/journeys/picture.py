"""A definition as the cards of a picture, in the order of its steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.campaigns.journeys.queries import StepCounts

KIND_NAMES: Mapping[str, Any] = {
    "wait": gettext_lazy("Wait"),
    "wait_until": gettext_lazy("Wait until a time"),
    "branch": gettext_lazy("Branch"),
    "split": gettext_lazy("Random split"),
    "send": gettext_lazy("Send a message"),
    "update": gettext_lazy("Change the person"),
    "end": gettext_lazy("End"),
}
_ICONS = {
    "wait": "clock", "wait_until": "clock", "branch": "filter", "split": "filter", "send": "megaphone",
    "update": "people", "end": "check",
}  # fmt: skip
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


@dataclass(frozen=True, slots=True)
class Card:
    """says: what the step does. ways: (under which condition, where to); where to is empty for the end."""

    id: str
    title: str
    kind: Any
    icon: str
    says: str
    ways: list[tuple[str, str]]
    counts: StepCounts


def cards_of(definition: Mapping[str, Any], counts: Mapping[str, StepCounts]) -> list[Card]:
    """definition: one that was read without fault."""
    titles = {step["id"]: _title(step) for step in definition["steps"]}
    return [
        Card(
            step["id"], _title(step), KIND_NAMES[step["kind"]], _ICONS[step["kind"]], _says(step),
            [(label, titles.get(target, "") if target else "") for label, target in _ways(step)],
            counts.get(step["id"], StepCounts()),
        )
        for step in definition["steps"]
    ]  # fmt: skip


def _title(step: Mapping[str, Any]) -> str:
    return step.get("name") or f"{KIND_NAMES[step['kind']]} ({step['id']})"


def _ways(step: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    if step["kind"] == "branch":
        return [(_("If so"), step.get("then")), (_("Otherwise"), step.get("else"))]
    if step["kind"] == "split":
        return [(f"{way['percent']} %", way.get("next")) for way in step["ways"]]
    return [] if step["kind"] == "end" else [("", step.get("next"))]


def _says(step: Mapping[str, Any]) -> str:
    match step["kind"]:
        case "wait":
            return duration(step["seconds"])
        case "wait_until":
            return str(step["time"])
        case "branch":
            return condition_words(step["if"])
        case "send":
            return _message(step)
        case "update":
            return ", ".join([*(step.get("attributes") or {}), *(step.get("add_tags") or [])])
        case _:
            return step.get("goal") or ""


def _message(step: Mapping[str, Any]) -> str:
    content: Mapping[str, Any] = step.get("content") or {}
    words: Mapping[str, Any] = next(iter(content.values()), {})
    return f"{words.get('title') or words.get('body') or _('A template')} · {', '.join(step['routes'])}"


def condition_words(condition: Mapping[str, Any]) -> str:
    if "event" in condition:
        return _("Did “%(event)s” since coming in") % {"event": condition["event"]}
    inside = condition.get("inside", True)
    return _("Is in the segment") if inside else _("Is not in the segment")


def duration(seconds: int) -> str:
    """In the largest unit that fits without rest."""
    unit, count = next((name, seconds // size) for size, name in (*_UNITS, (1, "second")) if seconds % size == 0)
    shown = {
        "day": ngettext("%(count)d day", "%(count)d days", count),
        "hour": ngettext("%(count)d hour", "%(count)d hours", count),
        "minute": ngettext("%(count)d minute", "%(count)d minutes", count),
        "second": ngettext("%(count)d second", "%(count)d seconds", count),
    }
    return shown[unit] % {"count": count}
