"""What sending leaves on the bill beside the sends: pushes by network, people and devices that were reached."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.billing.models import Quota, UsageRollup
from apps.billing.reports import Grain, usage_report
from apps.billing.services import current_period
from apps.billing.services.activity import count_active
from apps.core import clock
from apps.messaging.ledger.activity import count_reached
from apps.messaging.models import Chunk
from apps.providers.base import Outcome, Result, Scope
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope
from tests.messaging.test_device_routes import Phones, devices, phones, sent

__all__ = ["devices", "phones", "sent"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker", "clean_valkey")]
Sent = Callable[..., list[tuple[str, str]]]


def used(tenant: Tenant, meter: str) -> int:
    with tenant_scope(tenant):
        return Quota.objects.of(tenant).get(period=current_period(tenant=tenant), meter=meter).used


def test_pushes_are_counted_by_device_and_network(phones: type[Phones], sent: Sent, tenant: Tenant) -> None:
    phones.answers["tablet-0"] = lambda push: Outcome(push.id, Result.REJECTED, Scope.DEVICE, "BadDeviceToken")
    sent()
    assert (used(tenant, "push.accepted"), used(tenant, "campaign.sends")) == (2, 2)
    with tenant_scope(tenant):
        rollup = UsageRollup.objects.of(tenant).get(meter="push.accepted")
    assert (rollup.dimensions, rollup.total) == ({"provider": "apns"}, 2)


def test_a_push_that_is_tried_again_later_counts_each_time_it_was_accepted_and_no_more(
    phones: type[Phones], sent: Sent, tenant: Tenant
) -> None:
    phones.answers["phone-1"] = lambda push: Outcome(push.id, Result.UNAVAILABLE)
    sent()
    assert used(tenant, "push.accepted") == 2
    sent()
    assert used(tenant, "push.accepted") == 4


def test_people_and_devices_count_once_in_a_period_however_often_they_are_reached(
    phones: type[Phones], sent: Sent, tenant: Tenant
) -> None:
    for _message in range(2):
        sent()
        assert count_reached() == 1
    assert count_reached() == 0
    assert (used(tenant, "subscribers.active"), used(tenant, "devices.active")) == (2, 3)
    with tenant_scope(tenant):
        start = clock.now() - timedelta(days=1)
        figures = usage_report(tenant=tenant, start=start, end=clock.now() + timedelta(days=1), grain=Grain.WHOLE)
    assert {each.meter: each.quantity for each in figures}["devices.active"] == 3


def test_a_thousand_people_cost_no_more_queries_than_one(tenant: Tenant) -> None:
    def queries(people: int, name: str) -> int:
        seen = {f"{name}:{number}": clock.now() for number in range(people)}
        with tenant_scope(tenant), CaptureQueriesContext(connection) as captured:
            new = count_active(tenant=tenant, meter="subscribers.active", seen=seen, application_id=0)
        assert new == people
        return len(captured)

    queries(1, "first")  # opens the period
    assert queries(1_000, "many") == queries(1, "one")


def test_counting_gives_way_to_sending(phones: type[Phones], sent: Sent) -> None:
    sent()
    assert (count_reached(seconds=-1), count_reached()) == (0, 1)


def test_they_count_again_in_the_next_period(phones: type[Phones], sent: Sent, tenant: Tenant) -> None:
    sent()
    count_reached()
    with tenant_scope(tenant):
        ended = current_period(tenant=tenant).ends_at
        Chunk.objects.of(tenant).update(is_metered=False)  # as if the mark had been lost
    count_reached()
    assert used(tenant, "subscribers.active") == 2
    with time_machine.travel(ended + timedelta(hours=1), tick=False):
        assert used(tenant, "subscribers.active") == 0


def test_a_worker_that_dies_while_counting_leaves_the_chunk_to_the_next(
    phones: type[Phones], sent: Sent, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent()

    def die(**_given: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr("apps.messaging.ledger.activity.count_active", die)
        with pytest.raises(KeyboardInterrupt):
            count_reached()
    count_reached()
    assert used(tenant, "subscribers.active") == 2
