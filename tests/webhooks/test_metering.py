"""Webhook calls that arrived are billed: each once, whatever is retried, replayed or killed."""

from __future__ import annotations

import pytest

from apps.billing.models import Quota
from apps.billing.services import current_period
from apps.billing.services.calls import count_calls
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope
from apps.webhooks.models import Delivery
from apps.webhooks.services.replaying import replay_delivery
from tests.webhooks.conftest import MakeEndpoint, Plane, deliver, deliveries, make_due
from tests.webhooks.receiver import Receiver, Reply

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker")]


def used(tenant: Tenant) -> int:
    with tenant_scope(tenant):
        return Quota.objects.of(tenant).get(period=current_period(tenant=tenant), meter="webhooks.delivered").used


def test_a_call_counts_when_it_arrived_and_its_failed_tries_are_free(
    make_endpoint: MakeEndpoint, plane: Plane, application: Application, receiver: Receiver, tenant: Tenant
) -> None:
    make_endpoint()
    receiver.replies.append(Reply(500))
    plane.note(application, "channel_occupied", "news")
    plane.collect()
    deliver()
    assert (count_calls(), used(tenant)) == (0, 0)
    make_due(tenant)
    deliver()
    assert (count_calls(), used(tenant)) == (1, 1)
    assert (count_calls(), used(tenant)) == (0, 1)


def test_a_replay_and_a_lost_mark_count_nothing_again(
    make_endpoint: MakeEndpoint, plane: Plane, application: Application, receiver: Receiver, tenant: Tenant
) -> None:
    make_endpoint()
    plane.note(application, "channel_occupied", "news")
    plane.collect()
    deliver()
    count_calls()
    with tenant_scope(tenant):
        Delivery.objects.of(tenant).update(is_metered=False)
        replay_delivery(tenant=tenant, delivery=deliveries(tenant)[0])
    deliver()
    assert len(receiver.received) == 2
    assert (count_calls(), used(tenant)) == (1, 1)
