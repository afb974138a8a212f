"""What holds for every provider that is installed, whoever wrote it: an outcome per push, in order, whatever comes."""

from __future__ import annotations

import pytest

from apps.providers.allowances import DAILY_QUOTA
from apps.providers.base import Endpoint, Needs, Outcome, Push, Result, Scope, Sender
from apps.providers.registry import limits_of, needs_of, open_provider, provider_names
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


@each_provider
def test_it_can_take_back_if_it_says_so(name: str, sender: Sender) -> None:
    provider = open_provider(name, sender)
    assert callable(getattr(provider, "withdraw", None)) == needs_of(name).withdraws
    if needs_of(name).withdraws:
        assert provider.withdraw([]) == 0  # type: ignore[attr-defined]  # it says that it has it
        assert provider.withdraw(["", "\n", "https://169.254.169.254/m/1"]) == 0  # type: ignore[attr-defined]  # as above


@each_provider
def test_what_a_day_takes_is_a_number_or_unknown(name: str, sender: Sender) -> None:
    limits = limits_of(name)
    assert all(limit is None or limit > 0 for limit in (limits.per_minute, limits.per_day))
    assert 0 <= limits.day_begins < 86_400
    left = getattr(open_provider(name, sender), "quota_left", lambda: None)()
    assert left is None or left >= 0
    quota = [field for field in needs_of(name).fields if field.name == DAILY_QUOTA]
    assert all(not field.is_secret for field in quota)
