"""What holds for every provider that is installed, whoever wrote it: an outcome per push, in order, whatever comes."""

from __future__ import annotations

import pytest

from apps.providers.base import Endpoint, Needs, Outcome, Push, Result, Scope, Sender
from apps.providers.registry import needs_of, open_provider, provider_names
from apps.tenants.models import Tenant
from tests.providers.factories import make_push

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clean_valkey")]
each_provider = pytest.mark.parametrize("name", provider_names())
each_with_a_credential = pytest.mark.parametrize("name", [name for name in provider_names() if needs_of(name).fields])


@pytest.fixture
def sender(tenant: Tenant, region: str) -> Sender:
    """Without a credential."""
    return Sender(region, tenant.pk, "4711")


def _strange_pushes() -> list[Push]:
    endpoints = [None, Endpoint(""), Endpoint("\x00\n"), Endpoint("x" * 5_000, "url"), Endpoint("a1", "fid", "mars")]
    return [make_push(number, endpoint, recipient="\n" * number) for number, endpoint in enumerate(endpoints)]


@each_provider
def test_every_push_gets_its_outcome_in_order(name: str, sender: Sender) -> None:
    pushes = _strange_pushes()
    outcomes = open_provider(name, sender).send(pushes)
    assert [outcome.push_id for outcome in outcomes] == [push.id for push in pushes]
    assert all(isinstance(outcome, Outcome) for outcome in outcomes)
    assert all((outcome.result is Result.ACCEPTED) == (outcome.scope is Scope.NONE) for outcome in outcomes)


@each_provider
def test_no_push_is_no_outcome(name: str, sender: Sender) -> None:
    assert open_provider(name, sender).send([]) == []


@each_with_a_credential
def test_nothing_is_accepted_without_a_credential(name: str, sender: Sender) -> None:
    results = {outcome.result for outcome in open_provider(name, sender).send(_strange_pushes())}
    assert results == {Result.REJECTED}


@each_provider
def test_what_it_needs_is_said_in_full(name: str) -> None:
    needs = needs_of(name)
    assert isinstance(needs, Needs)
    assert needs.reaches in {"people", "devices"}
    assert bool(needs.platforms) == (needs.reaches == "devices")
    assert len({field.name for field in needs.fields}) == len(needs.fields)
    assert all(str(field.label) for field in needs.fields)
    assert all(value and str(label) for field in needs.fields for value, label in field.choices)
