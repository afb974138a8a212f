"""Creating, merging and forgetting subscribers."""

from __future__ import annotations

from typing import Any

import pytest

from apps.audience.errors import BatchTooLarge, SubscriberInvalid
from apps.audience.models import Subscriber
from apps.audience.services.subscribers import (
    erase_subscriber,
    upsert_subscriber,
    upsert_subscribers_in_bulk,
)
from apps.core.errors import NotFound
from apps.tenants.models import Application, AuditEntry, Tenant
from apps.tenants.scope import tenant_scope

pytestmark = pytest.mark.django_db


def _stored(application: Application, external_id: str) -> dict[str, Any]:
    row = Subscriber.objects.in_application(application).named(external_id)
    return {name: getattr(row, name) for name in ("attributes", "tags", "language", "timezone")}


def test_upsert_creates_a_subscriber(scope: Tenant, application: Application) -> None:
    person = {
        "external_id": "ada",
        "attributes": {"plan": "pro", "age": 36, "address": {"city": "伦敦", "unit": None}},
        "tags": ["vip", "beta", "vip"],
        "language": "zh-hans_cn",
        "timezone": "Europe/London",
    }

    subscriber, created = upsert_subscriber(tenant=scope, application=application, person=person)

    assert created
    assert subscriber.public_id.startswith("sub_")
    assert _stored(application, "ada") == {
        "attributes": {"plan": "pro", "age": 36, "address": {"city": "伦敦"}},
        "tags": ["vip", "beta"],
        "language": "zh-Hans-CN",
        "timezone": "Europe/London",
    }


def test_upsert_lays_what_is_given_over_what_is_known(scope: Tenant, application: Application) -> None:
    first = {"external_id": "ada", "attributes": {"plan": "pro", "age": 36}, "tags": ["vip"], "language": "en"}
    upsert_subscriber(tenant=scope, application=application, person=first)
    later = {"external_id": "ada", "attributes": {"plan": None, "city": "Paris"}, "timezone": "Europe/Paris"}

    _subscriber, created = upsert_subscriber(tenant=scope, application=application, person=later)

    assert not created
    assert _stored(application, "ada") == {
        "attributes": {"age": 36, "city": "Paris"},
        "tags": ["vip"],
        "language": "en",
        "timezone": "Europe/Paris",
    }


def test_given_and_empty_clears(scope: Tenant, application: Application) -> None:
    upsert_subscriber(
        tenant=scope, application=application, person={"external_id": "ada", "tags": ["vip"], "language": "en"}
    )

    upsert_subscriber(tenant=scope, application=application, person={"external_id": "ada", "tags": [], "language": ""})

    assert _stored(application, "ada") == {"attributes": {}, "tags": [], "language": "", "timezone": ""}


@pytest.mark.parametrize(
    ("person", "field", "problem"),
    [
        ("ada", "", "not_an_object"),
        ({}, "external_id", "external_id_missing"),
        ({"external_id": "a b"}, "external_id", "external_id_invalid"),
        ({"external_id": "a\n"}, "external_id", "external_id_invalid"),
        ({"external_id": 7}, "external_id", "external_id_invalid"),
        ({"external_id": "x" * 129}, "external_id", "external_id_invalid"),
        ({"external_id": "a", "name": "Ada"}, "name", "unknown_field"),
        ({"external_id": "a", "language": "english!"}, "language", "language_invalid"),
        ({"external_id": "a", "timezone": "Mars/Olympus"}, "timezone", "timezone_unknown"),
        ({"external_id": "a", "timezone": "../../etc/passwd"}, "timezone", "timezone_unknown"),
        ({"external_id": "a", "tags": "vip"}, "tags", "tags_invalid"),
        ({"external_id": "a", "tags": ["a\0b"]}, "tags", "tags_invalid"),
        ({"external_id": "a", "tags": ["\ud800"]}, "tags", "tags_invalid"),
        ({"external_id": "a", "tags": [str(n) for n in range(101)]}, "tags", "too_many_tags"),
        ({"external_id": "a", "attributes": ["x"]}, "attributes", "attributes_invalid"),
        ({"external_id": "a", "attributes": {"": 1}}, "attributes.", "attribute_name_invalid"),
        ({"external_id": "a", "attributes": {"n" * 65: 1}}, "attributes." + "n" * 64, "attribute_name_invalid"),
        ({"external_id": "a", "attributes": {"x": "a\0"}}, "attributes.x", "attribute_value_invalid"),
        ({"external_id": "a", "attributes": {"x": "\udfff"}}, "attributes.x", "attribute_value_invalid"),
        ({"external_id": "a", "attributes": {"x": float("nan")}}, "attributes.x", "attribute_value_invalid"),
        ({"external_id": "a", "attributes": {"x": 10**30}}, "attributes.x", "attribute_value_invalid"),
        ({"external_id": "a", "attributes": {"x": [[[[[1]]]]]}}, "attributes.x", "attribute_value_invalid"),
        ({"external_id": "a", "attributes": {str(n): n for n in range(101)}}, "attributes", "too_many_attributes"),
        ({"external_id": "a", "attributes": {"x": "长" * 6_000}}, "attributes", "attributes_too_large"),
    ],
)
def test_a_bad_subscriber_is_refused_with_its_reason(
    scope: Tenant, application: Application, person: object, field: str, problem: str
) -> None:
    with pytest.raises(SubscriberInvalid) as refused:
        upsert_subscriber(tenant=scope, application=application, person=person)

    assert refused.value.details == {"problem": problem}
    assert list(refused.value.fields) == [field]
    assert not Subscriber.objects.of(scope).exists()


def test_a_batch_reports_each_item_and_keeps_the_good_ones(scope: Tenant, application: Application) -> None:
    upsert_subscriber(tenant=scope, application=application, person={"external_id": "known"})
    batch = [
        {"external_id": "new", "attributes": {"n": 1}},
        {"external_id": "bad one"},
        {"external_id": "known", "tags": ["x"]},
        {"external_id": "new", "attributes": {"m": 2}},
        None,
    ]

    results = upsert_subscribers_in_bulk(tenant=scope, application=application, people=batch)

    assert [(result.external_id, result.status) for result in results] == [
        ("new", "created"),
        ("bad one", "rejected"),
        ("known", "updated"),
        ("new", "updated"),
        ("", "rejected"),
    ]
    assert [result.problem.code for result in results if result.problem] == ["external_id_invalid", "not_an_object"]
    assert _stored(application, "new")["attributes"] == {"n": 1, "m": 2}


def test_a_merge_that_grows_too_large_is_reported_and_changes_nothing(scope: Tenant, application: Application) -> None:
    upsert_subscriber(
        tenant=scope, application=application, person={"external_id": "ada", "attributes": {"a": "x" * 9_000}}
    )
    batch = [{"external_id": "ada", "attributes": {"b": "y" * 9_000}}, {"external_id": "bob"}]

    results = upsert_subscribers_in_bulk(tenant=scope, application=application, people=batch)

    assert [(result.external_id, result.status) for result in results] == [("ada", "rejected"), ("bob", "created")]
    assert results[0].problem is not None
    assert results[0].problem.code == "attributes_too_large"
    assert list(_stored(application, "ada")["attributes"]) == ["a"]


def test_an_attribute_can_be_swapped_when_all_hundred_are_taken(scope: Tenant, application: Application) -> None:
    full = {f"a{n}": n for n in range(100)}
    upsert_subscriber(tenant=scope, application=application, person={"external_id": "ada", "attributes": full})

    upsert_subscriber(
        tenant=scope,
        application=application,
        person={"external_id": "ada", "attributes": {"a0": None, "new": True}},
    )

    assert _stored(application, "ada")["attributes"] == {**{f"a{n}": n for n in range(1, 100)}, "new": True}


def test_a_batch_of_more_than_a_thousand_is_refused(scope: Tenant, application: Application) -> None:
    with pytest.raises(BatchTooLarge):
        upsert_subscribers_in_bulk(
            tenant=scope, application=application, people=[{"external_id": str(n)} for n in range(1_001)]
        )

    assert not Subscriber.objects.of(scope).exists()


def test_the_same_external_id_in_two_tenants_is_two_people(
    tenant: Tenant, application: Application, other_tenant: Tenant, other_application: Application
) -> None:
    with tenant_scope(other_tenant):
        theirs, _created = upsert_subscriber(
            tenant=other_tenant, application=other_application, person={"external_id": "ada", "tags": ["theirs"]}
        )
    with tenant_scope(tenant):
        ours, created = upsert_subscriber(tenant=tenant, application=application, person={"external_id": "ada"})

        assert created
        assert ours.pk != theirs.pk
        assert ours.tags == []
        with pytest.raises(NotFound):
            Subscriber.objects.access(theirs.public_id)


def test_erase_forgets_one_subscriber_and_says_so(scope: Tenant, application: Application) -> None:
    for name in ("ada", "bob"):
        upsert_subscriber(tenant=scope, application=application, person={"external_id": name})

    ada = Subscriber.objects.in_application(application).named("ada")

    erase_subscriber(tenant=scope, subscriber=ada, actor="usr_1")

    assert [row.external_id for row in Subscriber.objects.of(scope)] == ["bob"]
    entry = AuditEntry.objects.of(scope).order_by("-id")[0]
    assert (entry.actor, entry.action, entry.target, entry.facts) == ("usr_1", "subscriber.erased", ada.public_id, {})


def test_starting_with_finds_by_the_beginning_of_the_id(scope: Tenant, application: Application) -> None:
    for name in ("user-1", "user-2", "user.3", "other"):
        upsert_subscriber(tenant=scope, application=application, person={"external_id": name})

    found = Subscriber.objects.in_application(application).starting_with("user-").order_by("external_id")

    assert [row.external_id for row in found] == ["user-1", "user-2"]
