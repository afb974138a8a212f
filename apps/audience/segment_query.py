"""A rule tree as a condition on Subscriber. Values and keys travel as parameters only, never as SQL.

jsonb's own comparison operators are total (they never raise, unlike a cast of text to numeric), so guarding them with
jsonb_typeof needs no promise about the order in which PostgreSQL evaluates AND.
"""

from __future__ import annotations

import json
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, F, Func, Q
from django.db.models.sql.compiler import SQLCompiler

from apps.audience.segments import Leaf, Rule

_COLUMNS = {"language": "language", "timezone": "timezone", "external_id": "external_id"}
#: SQL over {a}, the attributes column. The parameter is the attribute's name.
_MEMBER = "({a} -> (%s)::text)"
_TEXT_MEMBER = "({a} ->> (%s)::text)"
_ORDER = frozenset({">", ">=", "<", "<="})


def condition(rule: Rule) -> Q:
    """True or false for every subscriber, never NULL, so that `~condition` is its complement."""
    if isinstance(rule, Leaf):
        return _leaf(rule)
    inner = [condition(one) for one in rule.rules]
    if rule.combine == "not":
        return ~inner[0]
    return Q(*inner, _connector=Q.AND if rule.combine == "all" else Q.OR)


def _leaf(leaf: Leaf) -> Q:
    if leaf.relation == "!=":
        return ~_leaf(Leaf(leaf.field, "=", leaf.value, leaf.key))
    if leaf.relation == "not_exists":
        return ~_leaf(Leaf(leaf.field, "exists", None, leaf.key))
    if leaf.field == "attribute":
        return Q(_attribute(leaf))
    if leaf.field == "tag":
        return _tag(leaf)
    return _column(_COLUMNS[leaf.field], leaf)


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


class _OnAttributes(Func):
    """A condition over the column `attributes`, written with {a} for it and %s for the parameters."""

    output_field = BooleanField()

    def __init__(self, sql: str, *parameters: Any) -> None:
        super().__init__(F("attributes"))
        self.sql, self.parameters = sql, parameters

    def as_sql(  # type: ignore[override]
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_context: Any
    ) -> tuple[str, list[Any]]:
        column, _none = compiler.compile(self.source_expressions[0])
        return self.sql.replace("{a}", column), list(self.parameters)


def _attribute(leaf: Leaf) -> _OnAttributes:
    key, value = leaf.key, leaf.value
    if leaf.relation == "exists":
        return _OnAttributes("({a} ? (%s)::text)", key)
    if leaf.relation in _ORDER:
        kind = "string" if isinstance(value, str) else "number"
        return _OnAttributes(
            f"((jsonb_typeof({_MEMBER}) = %s AND {_MEMBER} {leaf.relation} (%s)::jsonb) IS TRUE)",
            key, kind, key, json.dumps(value),
        )  # fmt: skip
    if leaf.relation == "contains":
        return _contains(key, value)
    if leaf.relation == "starts_with":
        return _OnAttributes(
            f"((jsonb_typeof({_MEMBER}) = 'string' AND starts_with({_TEXT_MEMBER}, %s)) IS TRUE)", key, key, value
        )
    among = value if isinstance(value, tuple) else (value,)
    return _OnAttributes(f"(({_MEMBER} = ANY((%s)::jsonb[])) IS TRUE)", key, [json.dumps(one) for one in among])


def _contains(key: str, value: Any) -> _OnAttributes:
    """A text contains a text, a list contains an element."""
    in_list = f"(jsonb_typeof({_MEMBER}) = 'array' AND {_MEMBER} @> (%s)::jsonb)"
    if not isinstance(value, str):
        return _OnAttributes(f"({in_list} IS TRUE)", key, key, json.dumps(value))
    in_text = f"(jsonb_typeof({_MEMBER}) = 'string' AND strpos({_TEXT_MEMBER}, %s) > 0)"
    return _OnAttributes(f"(({in_list} OR {in_text}) IS TRUE)", key, key, json.dumps(value), key, key, value)
