"""An estimate is exact for few, and honest about its margin for many."""

from __future__ import annotations

import pytest

from apps.audience import estimating
from apps.audience.estimating import Estimate, estimate
from apps.audience.services.events import record_events
from apps.audience.services.subscribers import upsert_subscribers_in_bulk
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope

_EVEN = {"field": "attribute", "key": "even", "relation": "=", "value": True}
_DID = {"field": "event", "key": "buy", "relation": ">=", "value": 1, "days": 7}


@pytest.fixture
def crowd(tenant: Tenant, application: Application) -> None:
    people = [{"external_id": f"p{n}", "attributes": {"even": n % 2 == 0}} for n in range(1_000)]
    deeds = [{"external_id": f"p{n}", "name": "buy"} for n in range(0, 1_000, 4)]
    with tenant_scope(tenant):
        upsert_subscribers_in_bulk(tenant=tenant, application=application, people=people)
        record_events(tenant=tenant, application=application, events=deeds)


def _ask(tenant: Tenant, application: Application, rules: object) -> Estimate:
    with tenant_scope(tenant):
        return estimate(tenant=tenant, application=application, rules=rules)


@pytest.mark.django_db
@pytest.mark.usefixtures("crowd")
def test_few_are_counted(tenant: Tenant, application: Application) -> None:
    assert _ask(tenant, application, _EVEN) == Estimate(500)
    assert _ask(tenant, application, {"not": {"all": [_EVEN, _DID]}}) == Estimate(750)


@pytest.mark.django_db
@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize(("rules", "truth"), [(_EVEN, 500), (_DID, 250), ({"not": _DID}, 750)])
def test_many_are_sampled_and_the_truth_lies_near(
    tenant: Tenant, application: Application, rules: object, truth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimating, "EXACT_UP_TO", 300)
    monkeypatch.setattr(estimating, "_ENOUGH_HITS", 20)

    found = _ask(tenant, application, rules)

    assert not found.is_exact
    assert found.count % 4 == 0
    # Three times the margin of 19 in 20: less than once in a hundred million databases.
    assert abs(found.count - truth) <= 3 * found.margin < truth * 2


@pytest.mark.django_db
@pytest.mark.usefixtures("crowd")
def test_a_handful_is_counted_however_many_there_are(
    tenant: Tenant, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimating, "EXACT_UP_TO", 300)
    rules = {"field": "external_id", "relation": "in", "value": ["p1", "p2", "p3"]}

    assert _ask(tenant, application, rules) == Estimate(3)


@pytest.mark.parametrize(
    ("population", "share"), [(0, 1), (150_000, 1), (150_001, 2), (300_001, 4), (1_000_000, 8), (10_000_000, 128)]
)
def test_a_sample_is_never_larger_than_what_is_counted(population: int, share: int) -> None:
    assert estimating._share(population) == share
