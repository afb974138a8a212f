"""Rule trees: what the SQL selects is what an independent reading of the same rules in Python selects."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.audience.queries import estimate, matching
from apps.audience.segments import RuleError, parse
from apps.audience.services.merging import merge_subscribers
from apps.audience.values import read_subscriber
from apps.tenants.models import Application, Tenant

pytestmark = pytest.mark.django_db


# --- The oracle: plain dicts, nothing of the compiler


def _kind(value: Any) -> str:
    for kind, types in (("boolean", bool), ("number", (int, float)), ("string", str), ("array", list)):
        if isinstance(value, types):
            return kind
    return "object"


def _comparable(value: Any) -> Any:
    if _kind(value) == "number":
        return Decimal(repr(value))
    if _kind(value) == "string":
        return value.encode()  # PostgreSQL compares by code point; so do the bytes of UTF-8
    return value


def _same(left: Any, right: Any) -> bool:
    return _kind(left) == _kind(right) and _comparable(left) == _comparable(right)


def _attribute_holds(attributes: dict[str, Any], rule: dict[str, Any]) -> bool:
    relation, wanted = rule["relation"], rule.get("value")
    if relation == "exists":
        return rule["key"] in attributes
    if rule["key"] not in attributes:
        return False
    stored = attributes[rule["key"]]
    if relation == "=":
        return _same(stored, wanted)
    if relation == "in":
        return any(_same(stored, one) for one in wanted)
    if relation == "starts_with":
        return isinstance(stored, str) and stored.startswith(wanted)
    if relation == "contains":
        if isinstance(stored, list):
            return any(_same(one, wanted) for one in stored)
        return isinstance(stored, str) and isinstance(wanted, str) and wanted in stored
    if _kind(stored) != _kind(wanted):
        return False
    left, right = _comparable(stored), _comparable(wanted)
    return {">": left > right, ">=": left >= right, "<": left < right, "<=": left <= right}[relation]


def _text_holds(stored: str, rule: dict[str, Any]) -> bool:
    wanted = rule.get("value")
    return {
        "=": lambda: stored == wanted,
        "in": lambda: stored in wanted,
        "starts_with": lambda: stored.startswith(wanted),
        "exists": lambda: stored != "",
    }[rule["relation"]]()


def _tag_holds(tags: list[str], rule: dict[str, Any]) -> bool:
    if rule["relation"] == "exists":
        return bool(tags)
    wanted = rule["value"] if rule["relation"] == "in" else [rule["value"]]
    return bool(set(tags) & set(wanted))


def _holds(person: dict[str, Any], rule: dict[str, Any]) -> bool:
    if "all" in rule:
        return all(_holds(person, one) for one in rule["all"])
    if "any" in rule:
        return any(_holds(person, one) for one in rule["any"])
    if "not" in rule:
        return not _holds(person, rule["not"])
    opposite = {"!=": "=", "not_exists": "exists"}.get(rule["relation"])
    if opposite:
        return not _holds(person, {**rule, "relation": opposite})
    if rule["field"] == "attribute":
        return _attribute_holds(person["attributes"], rule)
    if rule["field"] == "tag":
        return _tag_holds(person["tags"], rule)
    return _text_holds(person[rule["field"]], rule)


# --- Small worlds, so that rules and people meet

_KEYS = st.sampled_from(["a", "7", "it's", 'q"%s', "a__gt", "$.x", "长"])
_TEXTS = st.sampled_from(["", "a", "ab", "5", "%", "_", "\\", "'", '"', "é", "长", "\U0001f600", "true", "{a}"])
_NUMBERS = st.sampled_from([0, -1, 5, 5.0, 5.5, 1e-15, 2**63, 2**53 + 1, 2.0**53, -0.0, 0.1, 0.30000000000000004])
_SCALARS = st.one_of(_TEXTS, _NUMBERS, st.booleans())
_STORED = st.one_of(_SCALARS, st.lists(_SCALARS, max_size=3), st.dictionaries(_KEYS, _SCALARS, max_size=2))
_TAGS = st.sampled_from(["vip", "beta", "a'b", "{x,y}", "NULL"])
_LANGUAGES = st.sampled_from(["", "en", "en-GB", "zh-Hans"])
_ZONES = st.sampled_from(["", "Europe/Berlin", "Europe/Paris", "UTC"])

_PEOPLE = st.lists(
    st.fixed_dictionaries(
        {
            "attributes": st.dictionaries(_KEYS, _STORED, max_size=3),
            "tags": st.lists(_TAGS, unique=True, max_size=3),
            "language": _LANGUAGES,
            "timezone": _ZONES,
        }
    ),
    min_size=1,
    max_size=6,
)


def _relations(field: str, values: st.SearchStrategy[Any], key: st.SearchStrategy[str] | None = None) -> Any:
    head: dict[str, Any] = {"field": st.just(field)} | ({} if key is None else {"key": key})
    shapes = [
        st.fixed_dictionaries({**head, "relation": st.sampled_from(["=", "!="]), "value": values}),
        st.fixed_dictionaries({**head, "relation": st.just("in"), "value": st.lists(values, min_size=1, max_size=3)}),
    ]
    if field != "external_id":
        shapes.append(st.fixed_dictionaries({**head, "relation": st.sampled_from(["exists", "not_exists"])}))
    if field not in {"attribute", "tag"}:
        shapes.append(st.fixed_dictionaries({**head, "relation": st.just("starts_with"), "value": values}))
    if field == "attribute":
        order = st.sampled_from([">", ">=", "<", "<="])
        shapes += [
            st.fixed_dictionaries({**head, "relation": order, "value": _TEXTS | _NUMBERS}),
            st.fixed_dictionaries({**head, "relation": st.just("contains"), "value": values}),
            st.fixed_dictionaries({**head, "relation": st.just("starts_with"), "value": _TEXTS}),
        ]
    return st.one_of(shapes)


_LEAVES = st.one_of(
    _relations("attribute", _SCALARS, _KEYS),
    _relations("tag", _TAGS),
    _relations("language", _LANGUAGES),
    _relations("timezone", _ZONES),
    _relations("external_id", st.sampled_from(["p0", "p1", "p", "%"])),
)
_RULES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=_PEOPLE, rules=_RULES)
def test_the_sql_agrees_with_the_oracle(
    scope: Tenant, application: Application, people: list[dict[str, Any]], rules: dict[str, Any]
) -> None:
    crowd = [{"external_id": f"p{n}", **person} for n, person in enumerate(people)]
    with transaction.atomic():
        merge_subscribers(application=application, people=map(read_subscriber, crowd))
        selected = {row.external_id for row in matching(application=application, rules=rules)}
        transaction.set_rollback(True)

    assert selected == {person["external_id"] for person in crowd if _holds(person, rules)}


def test_estimate_counts_only_this_application(scope: Tenant, application: Application) -> None:
    crowd = [{"external_id": str(n), "attributes": {"n": n}} for n in range(10)]
    merge_subscribers(application=application, people=map(read_subscriber, crowd))

    assert estimate(
        tenant=scope,
        application=application,
        rules={"field": "attribute", "key": "n", "relation": ">=", "value": 4},
    ) == 6  # fmt: skip


def _nested(depth: int) -> dict[str, Any]:
    rule: dict[str, Any] = {"field": "tag", "relation": "exists"}
    for _level in range(depth):
        rule = {"not": rule}
    return rule


_LEAF = {"field": "attribute", "key": "plan", "relation": "=", "value": "pro"}


@pytest.mark.parametrize(
    ("rules", "path"),
    [
        (None, ""),
        ([], ""),
        ({}, ""),
        ({"all": [_LEAF], "any": [_LEAF]}, ""),
        ({"all": []}, "all"),
        ({"all": _LEAF}, "all"),
        ({"all": [_LEAF, 5]}, "all[1]"),
        ({"any": [{"not": {"any": []}}]}, "any[0].not.any"),
        ({"field": "password", "relation": "="}, "field"),
        ({"field": ["tag"], "relation": "="}, "field"),
        ({"all": [{**_LEAF, "relation": "~"}]}, "all[0].relation"),
        ({**_LEAF, "relation": {}}, "relation"),
        ({**_LEAF, "key": ""}, "key"),
        ({**_LEAF, "key": "k" * 65}, "key"),
        ({**_LEAF, "key": "a\0"}, "key"),
        ({**_LEAF, "path": "x"}, "path"),
        ({"field": "tag", "relation": "=", "value": "x", "key": "y"}, "key"),
        ({"field": "attribute", "key": "a", "relation": "="}, "value"),
        ({**_LEAF, "value": None}, "value"),
        ({**_LEAF, "value": {"x": 1}}, "value"),
        ({**_LEAF, "value": float("inf")}, "value"),
        ({**_LEAF, "value": "\ud800"}, "value"),
        ({**_LEAF, "value": "x" * 1_001}, "value"),
        ({**_LEAF, "relation": ">", "value": True}, "value"),
        ({**_LEAF, "relation": "starts_with", "value": 5}, "value"),
        ({**_LEAF, "relation": "in", "value": "pro"}, "value"),
        ({**_LEAF, "relation": "in", "value": []}, "value"),
        ({**_LEAF, "relation": "in", "value": ["pro", None]}, "value[1]"),
        ({**_LEAF, "relation": "exists"}, "value"),
        ({"field": "language", "relation": "=", "value": 5}, "value"),
        ({"all": [_LEAF] * 201}, "all[200]"),
        (_nested(10), "not." * 9 + "not"),
    ],
)  # fmt: skip
def test_a_bad_rule_is_refused_with_its_path(rules: object, path: str) -> None:
    with pytest.raises(RuleError) as refused:
        parse(rules)

    assert refused.value.path == path
    assert str(refused.value.message)


def test_two_hundred_rules_nine_deep_are_read() -> None:
    parse({"all": [_LEAF] * 199 + [_nested(8)]})
