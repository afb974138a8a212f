"""Registering and changing endpoints, what the data plane is told of them, and departures that linger."""

from __future__ import annotations

import pytest
from django.db import connection

from apps.core.errors import HouseError
from apps.realtime import keys
from apps.tenants import queries
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope
from apps.webhooks.errors import EndpointDisabled, EventsInvalid, TooManyEndpoints
from apps.webhooks.models import Attempt, Delivery, Lane, WebhookEndpoint
from apps.webhooks.services import endpoints, upkeep
from tests.webhooks.conftest import MakeEndpoint, Plane, deliver, deliveries, states
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.django_db


def wanted(application: Application) -> set[str]:
    record = queries.find_application(application_id=application.application_id)
    assert record is not None
    return set(record.webhook_events)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.com/", "scheme"), ("https://127.0.0.1/", "address"), ("https://[::1]/", "address"),
        ("https://169.254.169.254/latest", "address"), ("https://2130706433/", "numeric_host"),
        ("https://localhost/", "inner_name"), ("https://db.internal/", "inner_name"),
        ("https://example.com:22/", "port"), ("https://good@example.com/", "url"), ("", "url"), ("x" * 2_000, "url"),
        ("https://example.com/\r\nX: 1", "url"),
    ],
)  # fmt: skip
def test_a_bad_address_is_refused_and_nothing_is_kept(
    url: str, reason: str, tenant: Tenant, application: Application
) -> None:
    with tenant_scope(tenant):
        with pytest.raises(HouseError) as refused:
            endpoints.create_endpoint(tenant=tenant, application=application, url=url, events=["cache_miss"])
        assert (refused.value.code, refused.value.details["reason"]) == ("webhook_url_refused", reason)
        assert not WebhookEndpoint.objects.of(tenant).exists()


@pytest.mark.parametrize("events", [[], ["channel_occupied", "nonsense"]])
def test_events_must_exist(events: list[str], tenant: Tenant, application: Application) -> None:
    with tenant_scope(tenant), pytest.raises(EventsInvalid):
        endpoints.create_endpoint(tenant=tenant, application=application, url="https://example.com", events=events)


def test_the_plane_notes_what_any_enabled_endpoint_wants_and_nothing_more(
    tenant: Tenant, application: Application, make_endpoint: MakeEndpoint
) -> None:
    assert wanted(application) == set()
    first = make_endpoint(events=["cache_miss", "client_event"])
    second = make_endpoint(events=["cache_miss", "member_added"])
    assert wanted(application) == {"cache_miss", "client_event", "member_added"}
    with tenant_scope(tenant):
        endpoints.change_endpoint(tenant=tenant, endpoint=first, is_enabled=False)
    assert wanted(application) == {"cache_miss", "member_added"}
    with tenant_scope(tenant):
        endpoints.delete_endpoint(tenant=tenant, endpoint=second)
    assert wanted(application) == set()


def test_an_application_has_so_many_endpoints_at_most(tenant: Tenant, make_endpoint: MakeEndpoint) -> None:
    for _ in range(endpoints.MAX_ENDPOINTS):
        make_endpoint()
    with pytest.raises(TooManyEndpoints):
        make_endpoint()


def test_the_secret_is_sealed_to_its_row(tenant: Tenant, make_endpoint: MakeEndpoint) -> None:
    one, two = make_endpoint(), make_endpoint()
    with tenant_scope(tenant):
        assert one.secret not in str(list(WebhookEndpoint.objects.values_list()))
        WebhookEndpoint.objects.filter(pk=two.pk).update(secret_sealed=one.secret_sealed)
        two.refresh_from_db()
        with pytest.raises(Exception, match="InvalidTag"):
            endpoints.secrets_of(tenant, two)


def test_disabling_gives_up_what_waits_and_a_test_is_refused_then(
    tenant: Tenant, application: Application, make_endpoint: MakeEndpoint, plane: Plane
) -> None:
    endpoint = make_endpoint()
    plane.note(application, "channel_occupied", "a")
    plane.collect()
    with tenant_scope(tenant):
        endpoints.change_endpoint(tenant=tenant, endpoint=endpoint, is_enabled=False)
        with pytest.raises(EndpointDisabled):
            endpoints.send_test(tenant=tenant, endpoint=endpoint)
    plane.note(application, "channel_vacated", "a")
    plane.collect()
    assert states(tenant) == ["dead"]


def test_deleting_takes_everything_along(
    tenant: Tenant, application: Application, make_endpoint: MakeEndpoint, plane: Plane, as_worker: None
) -> None:
    endpoint = make_endpoint()
    for name in ("channel_occupied", "channel_vacated"):
        plane.note(application, name, "a")
    plane.collect()
    deliver()
    with tenant_scope(tenant):
        endpoints.delete_endpoint(tenant=tenant, endpoint=endpoint)
        assert not any(model.objects.of(tenant).exists() for model in (WebhookEndpoint, Delivery, Lane, Attempt))


def test_a_test_event_waits_for_no_channel(
    tenant: Tenant, make_endpoint: MakeEndpoint, receiver: Receiver, as_worker: None
) -> None:
    endpoint = make_endpoint(events=["cache_miss"], signing="standard")
    with tenant_scope(tenant):
        endpoints.send_test(tenant=tenant, endpoint=endpoint)
    deliver()
    assert receiver.received[0].json["type"] == "webhook.test"


class TestLinger:
    """Departures are told when nobody came back before their time."""

    def leave(self, plane: Plane, application: Application, entry: str, channel: str, *, ago: int) -> None:
        seconds, _micro = plane.client.time()
        _hooks, linger = keys.hooks_of(application.application_id, channel)
        plane.client.zadd(linger, {entry: (seconds - ago) * 1_000})
        plane.ring(application, channel)

    def test_a_departure_is_told_when_its_time_is_over(
        self, plane: Plane, application: Application, tenant: Tenant, make_endpoint: MakeEndpoint
    ) -> None:
        make_endpoint()
        self.leave(plane, application, "member presence-a ada lovelace", "presence-a", ago=2)
        self.leave(plane, application, "occupancy presence-a", "presence-a", ago=1)
        plane.collect()
        told = [(event["name"], event["facts"]) for row in deliveries(tenant) for event in row.events]
        assert told == [("member_removed", {"user_id": "ada lovelace"}), ("channel_vacated", {})]

    def test_one_that_lingers_is_looked_at_again_without_a_ring(
        self, plane: Plane, application: Application, tenant: Tenant, make_endpoint: MakeEndpoint
    ) -> None:
        make_endpoint()
        self.leave(plane, application, "occupancy a", "a", ago=-60)
        plane.collect()
        assert deliveries(tenant) == []
        assert plane.client.scard(keys.HOOKS_WAITING) == 1

    def test_who_is_there_after_all_was_never_away(
        self, plane: Plane, application: Application, tenant: Tenant, make_endpoint: MakeEndpoint
    ) -> None:
        make_endpoint()
        _own, count, _info, _seq = keys.members(application.application_id, "presence-a")
        plane.client.hset(count, "ada", 1)
        self.leave(plane, application, "member presence-a ada", "presence-a", ago=1)
        plane.collect()
        assert deliveries(tenant) == []
        assert plane.client.scard(keys.HOOKS_WAITING) == 0


def test_the_sweep_finds_what_nobody_rang_for(
    plane: Plane, application: Application, tenant: Tenant, make_endpoint: MakeEndpoint, as_worker: None
) -> None:
    make_endpoint()
    plane.note(application, "channel_occupied", "a")
    plane.client.delete(keys.HOOKS_WAITING)
    assert plane.collect() == 0
    upkeep.ring_for_everything()
    assert plane.collect() == 1


def test_old_finished_deliveries_are_forgotten(
    plane: Plane, application: Application, tenant: Tenant, make_endpoint: MakeEndpoint, as_worker: None
) -> None:
    make_endpoint()
    for name in ("channel_occupied", "channel_vacated"):
        plane.note(application, name, "a")
    plane.collect()
    deliver()
    with connection.cursor() as cursor, tenant_scope(tenant):
        first = Delivery.objects.of(tenant).order_by("pk")[0].pk
        cursor.execute("UPDATE webhooks_delivery SET finished_at = now() - interval '31 days' WHERE id = %s", [first])
    assert upkeep.forget_old_deliveries() == 1
    assert len(deliveries(tenant)) == 1
