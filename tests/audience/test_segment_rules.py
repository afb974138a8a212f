"""Rule trees: what the SQL selects is what an independent reading of the same rules in Python selects."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.audience.estimating import estimate
from apps.audience.models import BehaviourEvent, Subscriber
from apps.audience.partitions import open_months
from apps.audience.queries import matching
from apps.audience.segments import RuleError, parse
from apps.audience.services.events import record_events
from apps.audience.services.merging import merge_subscribers
from apps.audience.values import SubscriberIn, read_subscriber
from apps.core import clock, valkey
from apps.core.months import month_of
from apps.realtime import keys
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope
from apps.tenants.services import create_application

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


def _event_holds(events: list[dict[str, Any]], rule: dict[str, Any]) -> bool:
    named = [
        event
        for event in events
        if event["name"] == rule["key"]
        and all(_property_holds(event["properties"], one) for one in rule.get("where", []))
    ]
    relation, wanted = rule["relation"], rule.get("value", 0)
    if relation == "last_within":
        return any(event["days_ago"] < wanted for event in named)
    if relation == "last_before":
        return bool(named) and all(event["days_ago"] > wanted for event in named)
    times = sum(1 for event in named if rule.get("days") is None or event["days_ago"] < rule["days"])
    if relation == "exists":
        return times > 0
    return {
        ">": times > wanted, ">=": times >= wanted, "<": times < wanted, "<=": times <= wanted, "=": times == wanted
    }[relation]  # fmt: skip


def _property_holds(properties: dict[str, Any], rule: dict[str, Any]) -> bool:
    opposite = {"!=": "=", "not_exists": "exists"}.get(rule["relation"])
    if opposite:
        return not _attribute_holds(properties, {**rule, "relation": opposite})
    return _attribute_holds(properties, rule)


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
    if rule["field"] == "event":
        return _event_holds(person["events"], rule)
    if rule["field"] == "presence":
        return bool(person["online"])
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

_EVENT_NAMES = st.sampled_from(["buy", "it's", "长%s"])
_EVENTS = st.fixed_dictionaries(
    {
        "name": _EVENT_NAMES,
        "days_ago": st.sampled_from([0.5, 3.5, 10.5, 40.5]),
        "properties": st.dictionaries(_KEYS, _STORED, max_size=2),
    }
)

_PEOPLE = st.lists(
    st.fixed_dictionaries(
        {
            "attributes": st.dictionaries(_KEYS, _STORED, max_size=3),
            "tags": st.lists(_TAGS, unique=True, max_size=3),
            "language": _LANGUAGES,
            "timezone": _ZONES,
            "events": st.lists(_EVENTS, max_size=4),
            "online": st.booleans(),
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


_ATTRIBUTE = _relations("attribute", _SCALARS, _KEYS)
_WHERE = st.lists(
    _ATTRIBUTE.map(lambda rule: {name: value for name, value in rule.items() if name != "field"}), max_size=2
)
_DAYS = st.sampled_from([1, 4, 11, 400])


def _event_rules(relations: list[str], **more: st.SearchStrategy[Any]) -> Any:
    head = {"field": st.just("event"), "key": _EVENT_NAMES, "relation": st.sampled_from(relations)}
    return st.fixed_dictionaries({**head, **more}, optional={"where": _WHERE})


_EVENT_RULES = st.one_of(
    _event_rules(["exists", "not_exists"], days=st.none() | _DAYS),
    _event_rules([">", ">=", "<", "<=", "=", "!="], value=st.integers(0, 3), days=st.none() | _DAYS),
    _event_rules(["last_within", "last_before"], value=_DAYS),
)
_LEAVES = st.one_of(
    _ATTRIBUTE,
    _EVENT_RULES,
    st.fixed_dictionaries(
        {"field": st.just("presence"), "relation": st.sampled_from(["=", "!="]), "value": st.just("online")}
    ),
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
    online = {person["external_id"] for person in crowd if person["online"]}
    with transaction.atomic(), patch("apps.audience.queries.online_users", lambda **_where: online):
        merge_subscribers(application=application, people=map(_as_subscriber, crowd))
        _remember(application, crowd)
        selected = {row.external_id for row in matching(application=application, rules=rules)}
        transaction.set_rollback(True)

    assert selected == {person["external_id"] for person in crowd if _holds(person, rules)}


def _as_subscriber(person: dict[str, Any]) -> SubscriberIn:
    return read_subscriber({name: value for name, value in person.items() if name not in {"events", "online"}})


def _remember(application: Application, crowd: list[dict[str, Any]]) -> None:
    now = clock.now()
    open_months(month_of(now - timedelta(days=days)) for days in (0, 40.5))
    known = dict(Subscriber.objects.in_application(application).values_list("external_id", "pk"))
    BehaviourEvent.objects.bulk_create(
        BehaviourEvent(
            tenant_id=application.tenant_id, application=application, subscriber_id=known[person["external_id"]],
            name=event["name"], occurred_at=now - timedelta(days=event["days_ago"]), event_id=str(number),
            properties=event["properties"],
        )
        for person in crowd
        for number, event in enumerate(person["events"])
    )  # fmt: skip


def test_who_is_online_is_asked_of_the_data_plane(
    scope: Tenant, application: Application, region: str, clean_valkey: None
) -> None:
    merge_subscribers(application=application, people=[SubscriberIn("here"), SubscriberIn("away")])
    valkey.connect(region).hset(keys.online(application.application_id, "here")[1], "here", 1)

    def found(relation: str) -> list[str]:
        rules = {"field": "presence", "relation": relation, "value": "online"}
        return [person.external_id for person in matching(application=application, rules=rules)]

    assert (found("="), found("!=")) == (["here"], ["away"])


def test_events_of_the_neighbours_application_do_not_count(
    tenant: Tenant, application: Application, other_tenant: Tenant, other_application: Application
) -> None:
    for owner, app in ((tenant, application), (other_tenant, other_application)):
        with tenant_scope(owner):
            record_events(tenant=owner, application=app, events=[{"external_id": "ada", "name": "buy"}])
    with tenant_scope(tenant):
        more = create_application(tenant=tenant, name="Second").application
        merge_subscribers(application=more, people=[SubscriberIn("ada")])
        rules = {"field": "event", "key": "buy", "relation": "=", "value": 1}
        assert estimate(tenant=tenant, application=application, rules=rules).count == 1
        assert estimate(tenant=tenant, application=more, rules=rules).count == 0


def test_estimate_counts_only_this_application(scope: Tenant, application: Application) -> None:
    crowd = [{"external_id": str(n), "attributes": {"n": n}} for n in range(10)]
    merge_subscribers(application=application, people=map(read_subscriber, crowd))

    assert estimate(
        tenant=scope,
        application=application,
        rules={"field": "attribute", "key": "n", "relation": ">=", "value": 4},
    ).count == 6  # fmt: skip


def _nested(depth: int) -> dict[str, Any]:
    rule: dict[str, Any] = {"field": "tag", "relation": "exists"}
    for _level in range(depth):
        rule = {"not": rule}
    return rule


_LEAF = {"field": "attribute", "key": "plan", "relation": "=", "value": "pro"}
_EVENT = {"field": "event", "key": "buy", "relation": "exists"}


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
        ({"field": "event", "relation": "exists"}, "key"),
        ({**_EVENT, "relation": "in", "value": [1]}, "relation"),
        ({**_EVENT, "relation": ">=", "value": "3"}, "value"),
        ({**_EVENT, "relation": ">=", "value": True}, "value"),
        ({**_EVENT, "relation": ">=", "value": -1}, "value"),
        ({**_EVENT, "relation": ">="}, "value"),
        ({**_EVENT, "value": 5}, "value"),
        ({**_EVENT, "days": 0}, "days"),
        ({**_EVENT, "days": 3_661}, "days"),
        ({**_EVENT, "relation": "last_within", "value": 5, "days": 5}, "days"),
        ({**_EVENT, "relation": "last_before", "value": 0}, "value"),
        ({**_EVENT, "where": {}}, "where"),
        ({**_EVENT, "where": [{"key": "a", "relation": "="}] * 6}, "where"),
        ({**_EVENT, "where": [{"key": "a", "relation": "="}]}, "where[0].value"),
        ({**_EVENT, "where": [{"field": "tag", "relation": "exists"}]}, "where[0].field"),
        ({**_LEAF, "days": 5}, "days"),
        ({"field": "presence", "relation": "=", "value": "away"}, "value"),
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
