"""Several workers at once, each with a connection of its own, and a receiver that often fails."""

from __future__ import annotations

import random
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope
from apps.webhooks.models import Lane
from apps.webhooks.services.delivering import deliver_due
from tests.webhooks.conftest import MakeEndpoint, Plane, make_due, states
from tests.webhooks.receiver import Received, Receiver, Reply

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("as_worker")]

_CHANNELS, _EVENTS, _WORKERS, _SEED = 4, 6, 3, 20_261_123


def test_each_channel_keeps_its_order_whoever_works_and_whatever_fails(
    make_endpoint: MakeEndpoint, plane: Plane, application: Application, receiver: Receiver, tenant: Tenant
) -> None:
    make_endpoint(signing="both")
    dice = random.Random(_SEED)
    accepted: dict[str, list[int]] = defaultdict(list)

    def answer(call: Received) -> Reply:
        if dice.random() < 0.3:
            return Reply(500)
        [event] = call.events
        accepted[event["channel"]].append(event["subscription_count"])
        return Reply()

    receiver.answer = answer
    for number in range(_EVENTS):
        for channel in range(_CHANNELS):
            plane.note(application, "subscription_count", f"c{channel}", subscription_count=number)
    plane.collect()
    with ThreadPoolExecutor(_WORKERS) as workers:
        for _round in range(40):
            list(workers.map(_work, range(_WORKERS)))
            if set(states(tenant)) == {"delivered"}:
                break
            make_due(tenant)
    assert accepted == {f"c{channel}": list(range(_EVENTS)) for channel in range(_CHANNELS)}, _SEED
    with tenant_scope(tenant):
        assert not Lane.objects.of(tenant).exists()


def _work(_worker: int) -> None:
    try:
        deliver_due(seconds=5)
    finally:
        connections.close_all()
