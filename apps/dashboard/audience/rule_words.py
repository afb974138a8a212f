"""What the rule builder calls fields and relations."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy, pgettext_lazy

from apps.audience.segments import RELATIONS

FIELD_LABELS: dict[str, Any] = {
    "attribute": gettext_lazy("Attribute"),
    "event": gettext_lazy("Event"),
    "tag": gettext_lazy("Tag"),
    "presence": gettext_lazy("Presence"),
    "language": gettext_lazy("Language"),
    "timezone": gettext_lazy("Time zone"),
    "external_id": gettext_lazy("External id"),
    "property": gettext_lazy("Property"),
}
_RELATION_LABELS: dict[str, Any] = {
    "=": gettext_lazy("is"),
    "!=": gettext_lazy("is not"),
    "in": gettext_lazy("is one of"),
    ">": gettext_lazy("is more than"),
    ">=": gettext_lazy("is at least"),
    "<": gettext_lazy("is less than"),
    "<=": gettext_lazy("is at most"),
    "contains": gettext_lazy("contains"),
    "starts_with": gettext_lazy("starts with"),
    "exists": gettext_lazy("is known"),
    "not_exists": gettext_lazy("is not known"),
}
_EVENT_LABELS: dict[str, Any] = {
    "exists": pgettext_lazy("an event", "happened"),
    "not_exists": pgettext_lazy("an event", "never happened"),
    ">=": pgettext_lazy("an event", "happened at least (times)"),
    ">": pgettext_lazy("an event", "happened more often than (times)"),
    "<=": pgettext_lazy("an event", "happened at most (times)"),
    "<": pgettext_lazy("an event", "happened less often than (times)"),
    "=": pgettext_lazy("an event", "happened exactly (times)"),
    "!=": pgettext_lazy("an event", "did not happen exactly (times)"),
    "last_within": pgettext_lazy("an event", "happened last within (days)"),
    "last_before": pgettext_lazy("an event", "happened last more than (days) ago"),
}


def relation_choices() -> list[tuple[str, Any, str]]:
    """Relation, its words, and the fields it has these words for, parted by spaces. A property is as an attribute."""
    fields = {**RELATIONS, "property": RELATIONS["attribute"]}
    del fields["event"]
    of_facts = [
        (relation, label, " ".join(name for name, known in fields.items() if relation in known))
        for relation, label in _RELATION_LABELS.items()
    ]
    return [*of_facts, *((relation, label, "event") for relation, label in _EVENT_LABELS.items())]
