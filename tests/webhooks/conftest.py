"""A receiver, endpoints that call it, and events as the data plane leaves them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from pytest_django import Settings

from apps.core import valkey
from apps.realtime import keys
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope
from apps.webhooks.events import EVENT_NAMES
from apps.webhooks.models import Delivery, Lane, WebhookEndpoint
from apps.webhooks.services.collecting import collect
from apps.webhooks.services.delivering import deliver_due
from apps.webhooks.services.endpoints import create_endpoint
from tests.webhooks.receiver import Receiver


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    made = Receiver()
    settings.EGRESS_ALLOW = frozenset({made.origin})
    yield made
    made.stop()


MakeEndpoint = Callable[..., WebhookEndpoint]


@pytest.fixture
def make_endpoint(tenant: Tenant, application: Application, receiver: Receiver) -> MakeEndpoint:
    """`make_endpoint(signing="standard")`: an endpoint of `application` that calls `receiver`, with its `.secret`."""

    def make(
        *, of: Tenant = tenant, at: Application = application, path: str = "", **given: object
    ) -> WebhookEndpoint:  # fmt: skip
        with tenant_scope(of):
            made = create_endpoint(
                tenant=of, application=at, **{"url": receiver.url + path, "events": EVENT_NAMES, **given}
            )  # fmt: skip
        made.endpoint.secret = made.secret  # type: ignore[attr-defined]
        return made.endpoint

    return make


class Plane:
    """Notes events as the data plane's scripts do."""

    def __init__(self, region: str) -> None:
        self.client, self.region = valkey.connect(region), region

    def note(self, application: Application, name: str, channel: str, **facts: str | int) -> None:
        stream, _linger = keys.hooks_of(application.application_id, channel)
        self.client.xadd(stream, {"name": name, "channel": channel, **facts})
        self.ring(application, channel)

    def ring(self, application: Application, channel: str) -> None:
        partition = keys.partition(application.application_id, channel)
        self.client.sadd(keys.HOOKS_WAITING, f"{application.tenant_id}:{partition}")

    def collect(self) -> int:
        return collect(region=self.region)


@pytest.fixture
def plane(region: str, clean_valkey: None) -> Plane:
    return Plane(region)


def deliver() -> None:
    """Sends what is due now."""
    deliver_due(seconds=10)


def make_due(tenant: Tenant) -> None:
    """As if every wait were over."""
    with tenant_scope(tenant):
        WebhookEndpoint.objects.of(tenant).update(resumes_at=None)
        Lane.objects.of(tenant).update(due_at="2020-01-01T00:00:00Z", lease_until=None)


def deliveries(tenant: Tenant) -> list[Delivery]:
    with tenant_scope(tenant):
        return list(Delivery.objects.of(tenant).order_by("pk"))


def states(tenant: Tenant) -> list[str]:
    return [delivery.state for delivery in deliveries(tenant)]
