"""Other names of people: given, moved, removed, and never to two at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from apps.audience.errors import AudienceInvalid
from apps.audience.models import Subscriber, SubscriberAlias
from apps.audience.queries import audience_of, find_subscribers
from apps.audience.services.subscribers import erase_subscriber, upsert_subscribers_in_bulk
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope


def _upsert(tenant: Tenant, application: Application, *people: object) -> list[tuple[str, str, str | None]]:
    with tenant_scope(tenant):
        results = upsert_subscribers_in_bulk(tenant=tenant, application=application, people=people)
    return [(one.external_id, one.status, one.problem and one.problem.code) for one in results]


def _aliases(tenant: Tenant) -> dict[str, dict[str, str]]:
    with tenant_scope(tenant):
        found: dict[str, dict[str, str]] = {}
        for alias in SubscriberAlias.objects.of(tenant).select_related("subscriber"):
            found.setdefault(alias.subscriber.external_id, {})[alias.label] = alias.value
        return found


@pytest.mark.django_db
def test_aliases_are_laid_over_the_known_ones_and_null_removes(tenant: Tenant, application: Application) -> None:
    _upsert(tenant, application, {"external_id": "ada", "aliases": {"crm": "1", "shop": "a"}})
    _upsert(tenant, application, {"external_id": "ada", "aliases": {"crm": "2", "shop": None, "mail": "x@y"}})

    assert _aliases(tenant) == {"ada": {"crm": "2", "mail": "x@y"}}


@pytest.mark.django_db
def test_an_alias_of_somebody_else_is_refused_and_changes_nothing_of_the_person(
    tenant: Tenant, application: Application
) -> None:
    _upsert(tenant, application, {"external_id": "ada", "aliases": {"crm": "1"}})

    results = _upsert(
        tenant,
        application,
        {"external_id": "bob", "attributes": {"n": 1}, "aliases": {"crm": "1"}},
        {"external_id": "cy", "aliases": {"crm": "3"}},
        {"external_id": "dan", "aliases": {"crm": "3"}},
    )

    assert results == [("bob", "rejected", "alias_taken"), ("cy", "created", None), ("dan", "rejected", "alias_taken")]
    assert _aliases(tenant) == {"ada": {"crm": "1"}, "cy": {"crm": "3"}}
    with tenant_scope(tenant):
        assert set(Subscriber.objects.of(tenant).values_list("external_id", flat=True)) == {"ada", "cy"}


@pytest.mark.django_db
def test_a_person_has_at_most_twenty(tenant: Tenant, application: Application) -> None:
    _upsert(tenant, application, {"external_id": "ada", "aliases": {f"l{n}": "x" for n in range(20)}})

    assert _upsert(tenant, application, {"external_id": "ada", "aliases": {"more": "x"}}) == [
        ("ada", "rejected", "too_many_aliases")
    ]
    assert _upsert(tenant, application, {"external_id": "ada", "aliases": {"more": "x", "l0": None}}) == [
        ("ada", "updated", None)
    ]


@pytest.mark.django_db
def test_the_same_alias_in_another_application_is_another_name(
    tenant: Tenant, application: Application, other_tenant: Tenant, other_application: Application
) -> None:
    _upsert(tenant, application, {"external_id": "ada", "aliases": {"crm": "1"}})

    assert _upsert(other_tenant, other_application, {"external_id": "eve", "aliases": {"crm": "1"}}) == [
        ("eve", "created", None)
    ]
    with tenant_scope(other_tenant):
        found = find_subscribers(tenant=other_tenant, application=other_application, alias="crm:1")
        assert [one.external_id for one in found] == ["eve"]


@pytest.mark.django_db
def test_an_audience_may_be_named_by_aliases(tenant: Tenant, application: Application) -> None:
    _upsert(
        tenant,
        application,
        *({"external_id": f"p{n}", "aliases": {"crm": str(n), "shop": str(n + 1)}} for n in range(4)),
    )
    with tenant_scope(tenant):
        found = audience_of(tenant=tenant, application=application, audience={"aliases": {"crm": ["1", "2", "9"]}})
        assert sorted(one.external_id for one in found) == ["p1", "p2"]


@pytest.mark.django_db
@pytest.mark.parametrize("aliases", [{}, [], {"crm": []}, {"crm": "1"}, {"CRM": ["1"]}, {"a": ["1"], "b": ["2"]}])
def test_an_audience_of_no_aliases_is_refused(tenant: Tenant, application: Application, aliases: Any) -> None:
    with tenant_scope(tenant), pytest.raises(AudienceInvalid):
        audience_of(tenant=tenant, application=application, audience={"aliases": aliases})


@pytest.mark.django_db
def test_erasing_a_person_frees_the_alias(tenant: Tenant, application: Application) -> None:
    _upsert(tenant, application, {"external_id": "ada", "aliases": {"crm": "1"}})
    with tenant_scope(tenant):
        ada = Subscriber.objects.in_application(application).named("ada")
        erase_subscriber(tenant=tenant, subscriber=ada, actor="test")

    assert _upsert(tenant, application, {"external_id": "bob", "aliases": {"crm": "1"}}) == [("bob", "created", None)]


@pytest.mark.django_db(transaction=True)
def test_two_who_ask_for_one_alias_at_once_are_served_in_turn(tenant: Tenant, application: Application) -> None:
    def ask(name: str) -> str:
        try:
            [(_name, status, _code)] = _upsert(tenant, application, {"external_id": name, "aliases": {"crm": "1"}})
            return status
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(ask, [f"p{n}" for n in range(8)]))

    assert sorted(statuses) == ["created"] + ["rejected"] * 7
    assert len(_aliases(tenant)) == 1
