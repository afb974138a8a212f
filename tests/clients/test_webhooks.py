"""Unmodified npm `pusher` as the receiver of webhooks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.tenants.models import Application
from apps.tenants.services import NewApplication
from tests.clients.conftest import HERE
from tests.clients.node import NodeClient
from tests.webhooks.conftest import MakeEndpoint, Plane, deliver, make_endpoint, plane, receiver
from tests.webhooks.receiver import Receiver

__all__ = ["make_endpoint", "plane", "receiver"]

pytestmark = [pytest.mark.e2e, pytest.mark.django_db, pytest.mark.usefixtures("as_worker")]


@pytest.fixture
def customer(node_modules: Path, new_application: NewApplication) -> Iterator[NodeClient]:
    """A customer's server with the application's key and secret."""
    client = NodeClient(HERE / "driver.cjs")
    client.do("use", appId="1", key=new_application.key, secret=new_application.secret, port=1)
    yield client
    client.stop()


def test_npm_pusher_believes_what_is_sent_and_nothing_else(
    customer: NodeClient, make_endpoint: MakeEndpoint, plane: Plane, application: Application, receiver: Receiver
) -> None:
    make_endpoint(batching=True)
    plane.note(application, "channel_occupied", "news")
    plane.note(application, "subscription_count", "news", subscription_count=1)
    plane.collect()
    deliver()
    [call] = receiver.received
    body = call.body.decode()
    assert customer.do("webhook", headers=call.headers, rawBody=body) == {
        "events": [
            {"name": "channel_occupied", "channel": "news"},
            {"name": "subscription_count", "channel": "news", "subscription_count": 1},
        ],
        "time": call.json["time_ms"],
    }
    assert customer.do("webhook", headers=call.headers, rawBody=body.replace("news", "olds")) is None
