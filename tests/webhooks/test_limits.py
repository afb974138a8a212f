"""A limit of webhook calls holds them back, in their order, and drops none."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from apps.billing.services import current_period
from apps.billing.services.allowances import settle_due_allowances
from apps.billing.services.application_limits import set_application_limits
from apps.billing.services.calls import count_calls
from apps.billing.services.limits import OwnLimit, set_limits
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope
from apps.tenants.services import create_application
from tests.webhooks.conftest import MakeEndpoint, Plane, deliver, states
from tests.webhooks.receiver import Receiver

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker")]
CALLS = "webhooks.delivered"


def limit(tenant: Tenant, hard: int | None) -> None:
    with tenant_scope(tenant):
        limits = {} if hard is None else {CALLS: OwnLimit(hard=hard)}
        set_limits(tenant=tenant, actor="system", limits=limits, spend_cap=None)
    settle_due_allowances()


def happen(plane: Plane, application: Application, channel: str) -> None:
    plane.note(application, "channel_occupied", channel)
    plane.collect()
    deliver()
    count_calls()


def channels(receiver: Receiver) -> list[str]:
    return [call.events[0]["channel"] for call in receiver.received]


def test_calls_beyond_the_limit_wait_and_leave_in_their_order_when_it_is_raised(
    make_endpoint: MakeEndpoint, plane: Plane, application: Application, receiver: Receiver, tenant: Tenant
) -> None:
    make_endpoint()
    limit(tenant, 2)
    for number in range(4):
        happen(plane, application, f"news-{number}")
    assert channels(receiver) == ["news-0", "news-1"]
    assert states(tenant) == ["delivered", "delivered", "pending", "pending"]
    limit(tenant, 3)
    happen(plane, application, "news-4")  # the limit bound nothing when the calls were claimed: bounded, and stated
    assert sorted(channels(receiver)) == [f"news-{number}" for number in range(5)]
    happen(plane, application, "news-5")
    assert len(receiver.received) == 5
    limit(tenant, None)
    deliver()
    assert len(receiver.received) == 6


def test_the_next_period_lets_them_go(
    make_endpoint: MakeEndpoint, plane: Plane, application: Application, receiver: Receiver, tenant: Tenant
) -> None:
    endpoint = make_endpoint()
    limit(tenant, 1)
    happen(plane, application, "first")
    happen(plane, application, "second")
    assert channels(receiver) == ["first"]
    with tenant_scope(tenant):
        ends_at = current_period(tenant=tenant).ends_at
        endpoint.refresh_from_db()
    assert (endpoint.held_until, endpoint.is_held) == (ends_at, True)
    with time_machine.travel(ends_at + timedelta(seconds=1), tick=False):
        settle_due_allowances()
    with tenant_scope(tenant):
        endpoint.refresh_from_db()
    assert (endpoint.held_until, endpoint.is_held) == (None, False)


def test_an_applications_limit_holds_its_calls_and_not_its_siblings(
    make_endpoint: MakeEndpoint, plane: Plane, application: Application, receiver: Receiver, tenant: Tenant
) -> None:
    with tenant_scope(tenant):
        sibling = create_application(tenant=tenant, name="Sibling").application
        limits = {CALLS: OwnLimit(hard=1)}
        set_application_limits(tenant=tenant, application=application, actor="system", limits=limits)
    make_endpoint()
    make_endpoint(at=sibling)
    for number in range(2):
        happen(plane, application, f"mine-{number}")
        happen(plane, sibling, f"theirs-{number}")
    assert channels(receiver) == ["mine-0", "theirs-0", "theirs-1"]
