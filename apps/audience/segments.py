"""A segment's rule tree: reading it and saying what is wrong with it. Pure; segment_query.py turns it into SQL.

    rules = {"all": [rule, …]} | {"any": [rule, …]} | {"not": rule} | leaf
    leaf  = {"field": "attribute", "key": "plan", "relation": "=", "value": "pro"}
          | {"field": "tag" | "language" | "timezone" | "external_id", "relation": …, "value": …}
          | {"field": "event", "key": "purchase", "relation": ">=", "value": 3, "days": 30,
             "where": [{"key": "price", "relation": ">", "value": 9.5}, …]}
          | {"field": "presence", "relation": "=", "value": "online"}

Comparisons are typed by JSON: the number 5 is not the text "5", and `>` holds only between two numbers or two texts
(ISO dates compare as texts). Every leaf is either true or false: a missing attribute fails every relation but `!=` and
`not_exists`, so that `not` is the exact complement.

An event's number relations count how often it happened, `exists` and `not_exists` ask whether it did; both in the last
`days`, or in all the time that events are kept. `last_within` and `last_before` take days: the last time was, or was
not, within them (and there was one). `where` looks at the properties of each event as at attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.audience.values import MAX_ATTRIBUTE_NAME, is_name, storable

MAX_LEAVES = 200
MAX_DEPTH = 10
MAX_VALUES = 1_000
MAX_TEXT = 1_000
MAX_DAYS = 3_660
MAX_COUNT = 1_000_000
MAX_FILTERS = 5
ONLINE = "online"

_EQUALITY = ("=", "!=", "in")
_ORDER = (">", ">=", "<", "<=")
_PRESENCE = ("exists", "not_exists")
LAST = ("last_within", "last_before")
#: field -> the relations it knows, in the order a rule builder offers them.
RELATIONS: dict[str, tuple[str, ...]] = {
    "attribute": (*_EQUALITY, *_ORDER, "contains", "starts_with", *_PRESENCE),
    "tag": (*_EQUALITY, *_PRESENCE),
    "language": (*_EQUALITY, "starts_with", *_PRESENCE),
    "timezone": (*_EQUALITY, "starts_with", *_PRESENCE),
    "external_id": (*_EQUALITY, "starts_with"),
    "event": (*_PRESENCE, ">=", ">", "<=", "<", "=", "!=", *LAST),
    "presence": ("=", "!="),
}
_MEMBERS: dict[str, frozenset[str]] = {
    "attribute": frozenset({"field", "relation", "value", "key"}),
    "event": frozenset({"field", "relation", "value", "key", "days", "where"}),
}
_GROUPS = ("all", "any", "not")

Scalar = str | bool | int | float


class RuleError(ValueError):
    """path: where in the tree, as in `all[1].any[0].value`; empty for the root. message: one sentence."""

    def __init__(self, path: str, message: Any) -> None:
        self.path, self.message = path, message
        super().__init__(f"{path}: {message}")


@dataclass(frozen=True, slots=True)
class Leaf:
    """value: a scalar, a tuple of scalars for `in`, None for `exists` and `not_exists`. key: name of the attribute, the
    event or the property. days, where: of an event; each of `where` is a leaf over a property."""

    field: str
    relation: str
    value: Scalar | tuple[Scalar, ...] | None
    key: str = ""
    days: int | None = None
    where: tuple[Leaf, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """combine: `all`, `any` or `not` (which has exactly one rule)."""

    combine: str
    rules: tuple[Rule, ...]


Rule = Leaf | Group


def parse(rules: object) -> Rule:
    """Raises RuleError with the path of the first thing that is wrong."""
    return _Parser().rule(rules, "", 1)


class _Parser:
    def __init__(self) -> None:
        self.leaves = 0

    def rule(self, raw: object, path: str, depth: int) -> Rule:
        if not isinstance(raw, Mapping):
            raise RuleError(path, _("A rule is an object."))
        if depth > MAX_DEPTH:
            raise RuleError(path, _("Groups are nested more than 10 deep."))
        if "field" in raw:
            self.leaves += 1
            if self.leaves > MAX_LEAVES:
                raise RuleError(path, _("A segment has at most 200 rules."))
            return _leaf(raw, path)
        return self._group(raw, path, depth)

    def _group(self, raw: Mapping[Any, Any], path: str, depth: int) -> Group:
        if len(raw) != 1 or (combine := next(iter(raw))) not in _GROUPS:
            raise RuleError(path, _("A rule has a “field”, or it is one of “all”, “any” or “not”."))
        inner, here = raw[combine], _at(path, combine)
        if combine == "not":
            return Group("not", (self.rule(inner, here, depth + 1),))
        if not isinstance(inner, list | tuple):
            raise RuleError(here, _("A group is a list of rules."))
        if not inner:
            raise RuleError(here, _("A group needs at least one rule."))
        return Group(combine, tuple(self.rule(one, f"{here}[{n}]", depth + 1) for n, one in enumerate(inner)))


def _leaf(raw: Mapping[Any, Any], path: str) -> Leaf:
    field, relation = raw["field"], raw.get("relation")
    if not isinstance(field, str) or field not in RELATIONS:
        raise RuleError(_at(path, "field"), _("There is no such field."))
    _check_members(raw, field, path)
    if field == "event":
        return _event(raw, relation, path)
    key = _key(raw, path) if field == "attribute" else ""
    return Leaf(field, _relation(relation, field, path), _value(raw, field, str(relation), _at(path, "value")), key)


def _relation(relation: object, field: str, path: str) -> str:
    if not isinstance(relation, str) or relation not in RELATIONS[field]:
        raise RuleError(_at(path, "relation"), _("This field has no such relation."))
    return relation


def _check_members(raw: Mapping[Any, Any], field: str, path: str) -> None:
    known = _MEMBERS.get(field, frozenset({"field", "relation", "value"}))
    for member in sorted(map(str, set(raw) - known)):
        sentence = _("Only attributes and events have a key.") if member == "key" else _("A rule has no such member.")
        raise RuleError(_at(path, member[:64]), sentence)


def _key(raw: Mapping[Any, Any], path: str) -> str:
    key = raw.get("key")
    if not isinstance(key, str) or not 0 < len(key) <= MAX_ATTRIBUTE_NAME or not _is_storable(key):
        raise RuleError(_at(path, "key"), _("Name the attribute with 1 to 64 characters."))
    return key


def _event(raw: Mapping[Any, Any], relation: object, path: str) -> Leaf:
    if not is_name(key := raw.get("key"), MAX_ATTRIBUTE_NAME):
        raise RuleError(_at(path, "key"), _("Name the event with 1 to 64 characters."))
    known, days = _relation(relation, "event", path), raw.get("days")
    if days is not None and (known in LAST or not _is_whole(days, 1, MAX_DAYS)):
        raise RuleError(_at(path, "days"), _("Give 1 to 3,660 days, and none when asking for the last time."))
    return Leaf("event", known, _amount(raw, known, _at(path, "value")), str(key), days, _filters(raw, path))


def _amount(raw: Mapping[Any, Any], relation: str, path: str) -> int | None:
    """How often, or how many days ago."""
    if relation in _PRESENCE:
        _value(raw, "event", relation, path)
        return None
    value = raw.get("value")
    if relation in LAST and not _is_whole(value, 1, MAX_DAYS):
        raise RuleError(path, _("Give 1 to 3,660 days."))
    if not _is_whole(value, 0, MAX_COUNT):
        raise RuleError(path, _("Give a whole number from 0 to 1,000,000."))
    return value


def _is_whole(value: object, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high  # a bool is an int too


def _filters(raw: Mapping[Any, Any], path: str) -> tuple[Leaf, ...]:
    filters = raw.get("where", [])
    here = _at(path, "where")
    if not isinstance(filters, list | tuple) or len(filters) > MAX_FILTERS:
        raise RuleError(here, _("Give a list of at most 5 properties."))
    return tuple(_filter(one, f"{here}[{n}]") for n, one in enumerate(filters))


def _filter(raw: object, path: str) -> Leaf:
    if not isinstance(raw, Mapping):
        raise RuleError(path, _("A rule is an object."))
    if "field" in raw:
        raise RuleError(_at(path, "field"), _("A rule has no such member."))
    return _leaf({**raw, "field": "attribute"}, path)


def _value(raw: Mapping[Any, Any], field: str, relation: str, path: str) -> Scalar | tuple[Scalar, ...] | None:
    if relation in _PRESENCE:
        if raw.get("value") is not None:
            raise RuleError(path, _("This relation takes no value."))
        return None
    if "value" not in raw:
        raise RuleError(path, _("This relation needs a value."))
    value = raw["value"]
    if field == "presence" and value != ONLINE:
        raise RuleError(path, _("The only presence is “online”."))
    if relation != "in":
        return _scalar(value, field, relation, path)
    if not isinstance(value, list | tuple) or not 0 < len(value) <= MAX_VALUES:
        raise RuleError(path, _("Give a list of 1 to 1,000 values."))
    return tuple(_scalar(one, field, relation, f"{path}[{n}]") for n, one in enumerate(value))


def _scalar(value: object, field: str, relation: str, path: str) -> Scalar:
    text_only = field != "attribute" or relation == "starts_with"
    if not isinstance(value, str) and (text_only or not isinstance(value, bool | int | float)):
        raise RuleError(path, _("Give a text.") if text_only else _("Give a text, a number, true or false."))
    if relation in _ORDER and isinstance(value, bool):
        raise RuleError(path, _("True and false have no order; give a number or a text."))
    if (isinstance(value, str) and len(value) > MAX_TEXT) or not _is_storable(value):
        raise RuleError(path, _("This value is too long or cannot be stored."))
    return value


def _is_storable(value: object) -> bool:
    try:
        storable(value)
    except ValueError:
        return False
    return True


def _at(path: str, member: str) -> str:
    return f"{path}.{member}" if path else member
