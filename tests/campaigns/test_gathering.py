"""A segment that asks about events or presence is asked once, when its run starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from apps.audience.services.events import record_events
from apps.audience.services.segments import create_segment
from apps.campaigns import planning
from apps.campaigns.gathering import is_gathered_first
from apps.campaigns.models import Campaign, GatheredPerson
from apps.campaigns.services import cancel_campaign
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope
from tests.campaigns.test_campaigns import make, run_to_the_end, start, status
from tests.sending import Recorder, make_people

__all__ = ["make", "start"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker")]

_BOUGHT = {"field": "event", "key": "buy", "relation": "exists", "days": 7}


@pytest.fixture
def buyers(application: Application, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Six of seven people have bought; pages are of two people."""
    monkeypatch.setattr(planning, "CHUNK", 2)
    monkeypatch.setattr(planning, "CHUNKS", 1)
    monkeypatch.setattr(planning, "CHUNKS_AT_ONCE", 1)
    names = make_people(application, 7)
    _buy(application, *names[:6])
    return names[:6]


def _buy(application: Application, *names: str) -> None:
    with tenant_scope(application.tenant):
        events = [{"external_id": name, "name": "buy"} for name in names]
        record_events(tenant=application.tenant, application=application, events=events)


def _segment(application: Application, rules: object) -> dict[str, str]:
    with tenant_scope(application.tenant):
        segment = create_segment(tenant=application.tenant, application=application, name="Buyers", rules=rules)
    return {"segment_id": segment.public_id}


def _waiting(application: Application) -> int:
    with tenant_scope(application.tenant):
        return GatheredPerson.objects.of(application.tenant_id).count()


def test_who_buys_while_the_run_is_planned_is_not_in_it(
    start: Callable[..., Campaign], application: Application, buyers: list[str], network: Recorder
) -> None:
    campaign = start(audience=_segment(application, {"all": [_BOUGHT]}))
    claim = planning._claim()
    assert claim is not None
    assert planning._plan_page(claim) is True
    assert _waiting(application) == 4  # two are planned and forgotten
    planning._release(claim)
    _buy(application, "person-0006")

    run_to_the_end()

    assert sorted(network.recipients) == buyers
    assert status(campaign) == "sent"
    assert _waiting(application) == 0


def test_a_cancel_forgets_who_was_gathered(
    start: Callable[..., Campaign], application: Application, buyers: list[str], network: Recorder
) -> None:
    campaign = start(audience=_segment(application, _BOUGHT))
    claim = planning._claim()
    assert claim is not None
    planning._plan_page(claim)
    planning._release(claim)
    with tenant_scope(application.tenant):
        cancel_campaign(tenant=application.tenant, campaign=campaign.refreshed())

    run_to_the_end()

    assert network.pushes == []
    assert _waiting(application) == 0


@pytest.mark.parametrize(
    ("audience", "expected"),
    [
        ({"all": True}, False),
        ({"rules": {"field": "tag", "relation": "=", "value": "vip"}}, False),
        ({"rules": {"not": {"any": [{"field": "tag", "relation": "=", "value": "vip"}, _BOUGHT]}}}, True),
        ({"rules": {"field": "presence", "relation": "=", "value": "online"}}, True),
    ],
)
def test_only_rules_about_what_moves_are_asked_first(audience: dict[str, Any], expected: bool) -> None:
    assert is_gathered_first(audience) is expected
