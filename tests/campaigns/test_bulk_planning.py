"""Planning in bulk writes what planning one by one would have written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from apps.audience.models import Subscriber
from apps.audience.services.preferences import set_preferences
from apps.audience.services.subscribers import upsert_subscribers_in_bulk
from apps.campaigns import planning
from apps.campaigns.deciding import Decider
from apps.campaigns.models import Campaign
from apps.messaging.models import Chunk, Delivery
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope
from tests.campaigns.test_campaigns import make, run_to_the_end, start, status
from tests.sending import Recorder, make_people

__all__ = ["make", "start"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker")]


@pytest.fixture
def crowd(application: Application, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """25 people of three languages, two of whom want nothing; chunks of 4, pages of 8."""
    monkeypatch.setattr(planning, "CHUNK", 4)
    monkeypatch.setattr(planning, "CHUNKS", 2)
    monkeypatch.setattr(planning, "CHUNKS_AT_ONCE", 2)
    names = make_people(application, 25)
    with tenant_scope(application.tenant):
        people = [
            {"external_id": name, "language": ("en", "zh-Hans", "")[number % 3]} for number, name in enumerate(names)
        ]
        upsert_subscribers_in_bulk(tenant=application.tenant, application=application, people=people)
    return names


def _rows(application: Application) -> tuple[list[Any], list[Any]]:
    """Of the ledger and of the chunks, without what two runs cannot share."""
    with tenant_scope(application.tenant):
        rows = Delivery.objects.of(application.tenant_id).order_by("subscriber_id")
        chunks = Chunk.objects.of(application.tenant_id)
        return (
            list(rows.values_list("subscriber_id", "route", "state", "reason")),
            sorted(chunks.values_list("planned", "suppressed")),
        )


def test_everybody_is_in_one_row_and_the_chunks_count_them(
    start: Callable[..., Campaign], application: Application, crowd: list[str], network: Recorder
) -> None:
    campaign = start()

    assert planning.plan_started_runs(seconds=30) is False

    with tenant_scope(application.tenant):
        per_chunk = Counter(Delivery.objects.of(application.tenant_id).values_list("chunk_id", flat=True))
        chunks = {one.pk: one for one in Chunk.objects.of(application.tenant_id)}
    assert {number: chunk.planned for number, chunk in chunks.items() if chunk.planned} == dict(per_chunk)
    assert max(per_chunk.values()) == 4
    assert sorted(chunk.number for chunk in chunks.values()) == list(range(len(chunks)))
    run_to_the_end()
    assert sorted(network.recipients) == crowd
    assert status(campaign) == "sent"


def test_one_by_one_and_in_bulk_agree(
    start: Callable[..., Campaign], application: Application, crowd: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _refuse(application, crowd[3], crowd[20])
    start()
    planning.plan_started_runs(seconds=30)
    in_bulk, _chunks = _rows(application)
    with tenant_scope(application.tenant):
        Delivery.objects.of(application.tenant_id).delete()
        Chunk.objects.of(application.tenant_id).delete()
    monkeypatch.setattr(Decider, "asks_for_facts_alone", False)

    start()
    planning.plan_started_runs(seconds=30)

    one_by_one, _chunks = _rows(application)
    assert in_bulk == one_by_one
    assert Counter(state for _person, _route, state, _reason in in_bulk) == {"planned": 23, "suppressed": 2}


def test_who_was_planned_before_is_passed_over(
    start: Callable[..., Campaign], application: Application, crowd: list[str], network: Recorder
) -> None:
    start()
    claim = planning._claim()
    assert claim is not None
    planning._plan_page(claim)
    with tenant_scope(application.tenant):
        planning.CampaignRun.objects.of(application.tenant_id).update(cursor=0)  # as if the cursor had been lost
    planning._release(claim)

    run_to_the_end()

    assert sorted(network.recipients) == crowd


def _refuse(application: Application, *names: str) -> None:
    with tenant_scope(application.tenant):
        for name in names:
            person = Subscriber.objects.in_application(application).named(name)
            set_preferences(tenant=application.tenant, person=person, unsubscribed=True, source="api")
