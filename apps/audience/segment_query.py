"""A rule tree as a condition on Subscriber. Values and keys travel as parameters only, never as SQL.

jsonb's own comparison operators are total (they never raise, unlike a cast of text to numeric), so guarding them with
jsonb_typeof needs no promise about the order in which PostgreSQL evaluates AND.

What was done is asked as `id IN (people who did)`: one pass over the events of that name, however many subscribers.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, Count, F, Func, Max, Q, QuerySet
from django.db.models.sql.compiler import SQLCompiler

from apps.audience.models import BehaviourEvent
from apps.audience.segments import Leaf, Rule
from apps.tenants.models import Application

_COLUMNS = {"language": "language", "timezone": "timezone", "external_id": "external_id"}
#: SQL over {a}, the column of attributes or properties. The parameter is the attribute's name.
_MEMBER = "({a} -> (%s)::text)"
_TEXT_MEMBER = "({a} ->> (%s)::text)"
_ORDER = frozenset({">", ">=", "<", "<="})
#: A relation between a count and a number -> its lookup, how to see whether none is enough, and its opposite.
_COUNTS: dict[str, tuple[str, Callable[[int, int], bool], str]] = {
    ">=": ("gte", operator.ge, "<"),
    ">": ("gt", operator.gt, "<="),
    "<=": ("lte", operator.le, ">"),
    "<": ("lt", operator.lt, ">="),
    "=": ("exact", operator.eq, "!="),
}


@dataclass(frozen=True, slots=True)
class World:
    """What a rule is asked about. online: the external ids of who is connected now, read only when a rule asks.
    share: ask only about one of so many people, a power of two (see `sampled`)."""

    application: Application
    now: datetime
    online: Callable[[], Collection[str]]
    share: int = 1


def condition(rule: Rule, world: World) -> Q:
    """True or false for every subscriber, never NULL, so that `~condition` is its complement."""
    if isinstance(rule, Leaf):
        return _leaf(rule, world)
    inner = [condition(one, world) for one in rule.rules]
    if rule.combine == "not":
        return ~inner[0]
    return Q(*inner, _connector=Q.AND if rule.combine == "all" else Q.OR)


def _leaf(leaf: Leaf, world: World) -> Q:
    if leaf.relation in _OPPOSITES:
        return ~_leaf(replace(leaf, relation=_OPPOSITES[leaf.relation]), world)
    if leaf.field == "event":
        return _event(leaf, world)
    if leaf.field == "presence":
        return Q(_OverColumn("external_id", "({a} = ANY((%s)::text[]))", list(world.online())))
    return _fact(leaf)


_OPPOSITES = {"!=": "=", "not_exists": "exists"}


def _fact(leaf: Leaf) -> Q:
    if leaf.field == "attribute":
        return Q(_attribute(leaf, "attributes"))
    return _tag(leaf) if leaf.field == "tag" else _column(_COLUMNS[leaf.field], leaf)


def _event(leaf: Leaf, world: World) -> Q:
    days = leaf.value if leaf.relation == "last_within" else leaf.days
    happened = BehaviourEvent.objects.of(world.application.tenant_id).filter(
        application=world.application, name=leaf.key
    )
    if isinstance(days, int):
        happened = happened.filter(occurred_at__gte=world.now - timedelta(days=days))
    if world.share > 1:
        happened = happened.filter(sampled("subscriber_id", world.share))
    happened = happened.filter(*properties(leaf))
    people = happened.order_by().values("subscriber_id")
    if leaf.relation in {"exists", "last_within"}:
        return Q(pk__in=people)
    assert isinstance(leaf.value, int)
    if leaf.relation == "last_before":
        until = world.now - timedelta(days=leaf.value)
        return Q(pk__in=people.annotate(last=Max("occurred_at")).filter(last__lt=until).values("subscriber_id"))
    return _counted(people, leaf.relation, leaf.value)


def properties(leaf: Leaf) -> list[Q]:
    """What an event's leaf asks of the properties of a BehaviourEvent."""
    return [_property(one) for one in leaf.where]


def _property(leaf: Leaf) -> Q:
    if leaf.relation in _OPPOSITES:
        return ~_property(replace(leaf, relation=_OPPOSITES[leaf.relation]))
    return Q(_attribute(leaf, "properties"))


def _counted(people: QuerySet[Any, Any], relation: str, number: int) -> Q:
    """Those without any event are in no group: a relation that holds for none is asked by its opposite."""
    _lookup, holds, opposite = _COUNTS[relation]
    if holds(0, number):
        return ~_counted_groups(people, opposite, number)
    return _counted_groups(people, relation, number)


def _counted_groups(people: QuerySet[Any, Any], relation: str, number: int) -> Q:
    if (relation, number) in {(">=", 1), (">", 0), ("!=", 0)}:
        return Q(pk__in=people)
    groups = people.annotate(times=Count("subscriber_id"))  # of an indexed column: no row is looked at
    if relation == "!=":
        return Q(pk__in=groups.exclude(times=number).values("subscriber_id"))
    return Q(pk__in=groups.filter(**{f"times__{_COUNTS[relation][0]}": number}).values("subscriber_id"))


def _column(column: str, leaf: Leaf) -> Q:
    if leaf.relation == "exists":
        return ~Q(**{column: ""})
    lookup = {"=": "exact", "in": "in", "starts_with": "startswith"}[leaf.relation]
    return Q(**{f"{column}__{lookup}": leaf.value})


def _tag(leaf: Leaf) -> Q:
    if leaf.relation == "exists":
        return ~Q(tags=[])
    if leaf.relation == "in":
        assert isinstance(leaf.value, tuple)
        return Q(tags__overlap=list(leaf.value))
    return Q(tags__contains=[leaf.value])


class _OverColumn(Func):
    """A condition over one column, written with {a} for it and %s for the parameters."""

    output_field = BooleanField()

    def __init__(self, column: str, sql: str, *parameters: Any) -> None:
        super().__init__(F(column))
        self.sql, self.parameters = sql, parameters

    def as_sql(  # type: ignore[override]
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_context: Any
    ) -> tuple[str, list[Any]]:
        column, _none = compiler.compile(self.source_expressions[0])
        return self.sql.replace("{a}", column), list(self.parameters)


def sampled(column: str, share: int) -> Q:
    """One of `share` row numbers, by their hash: every n-th one may have something in common."""
    return Q(_OverColumn(column, "((hashint8({a}) & (%s)) = 0)", share - 1))


def _attribute(leaf: Leaf, column: str) -> _OverColumn:
    key, value = leaf.key, leaf.value
    if leaf.relation == "exists":
        return _OverColumn(column, "({a} ? (%s)::text)", key)
    if leaf.relation in _ORDER:
        kind = "string" if isinstance(value, str) else "number"
        return _OverColumn(
            column, f"((jsonb_typeof({_MEMBER}) = %s AND {_MEMBER} {leaf.relation} (%s)::jsonb) IS TRUE)",
            key, kind, key, json.dumps(value),
        )  # fmt: skip
    if leaf.relation == "contains":
        return _contains(column, key, value)
    if leaf.relation == "starts_with":
        return _OverColumn(
            column,
            f"((jsonb_typeof({_MEMBER}) = 'string' AND starts_with({_TEXT_MEMBER}, %s)) IS TRUE)",
            key,
            key,
            value,
        )
    among = value if isinstance(value, tuple) else (value,)
    return _OverColumn(column, f"(({_MEMBER} = ANY((%s)::jsonb[])) IS TRUE)", key, [json.dumps(one) for one in among])


def _contains(column: str, key: str, value: Any) -> _OverColumn:
    """A text contains a text, a list contains an element."""
    in_list = f"(jsonb_typeof({_MEMBER}) = 'array' AND {_MEMBER} @> (%s)::jsonb)"
    if not isinstance(value, str):
        return _OverColumn(column, f"({in_list} IS TRUE)", key, key, json.dumps(value))
    in_text = f"(jsonb_typeof({_MEMBER}) = 'string' AND strpos({_TEXT_MEMBER}, %s) > 0)"
    return _OverColumn(column, f"(({in_list} OR {in_text}) IS TRUE)", key, key, json.dumps(value), key, key, value)
