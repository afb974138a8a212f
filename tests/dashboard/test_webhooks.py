"""Webhooks in the dashboard."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.core import clock
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope
from apps.webhooks.models import Attempt, Delivery, DeliveryState, Lane, WebhookEndpoint
from apps.webhooks.services.endpoints import create_endpoint, send_test

pytestmark = pytest.mark.django_db

_FORM = {
    "url": "https://hooks.example.com/in", "events": ["member_added"], "signing": "standard",
    "batch_events": "50", "batch_bytes": "16000",
}  # fmt: skip


def make(tenant: Tenant, application: Application) -> WebhookEndpoint:
    with tenant_scope(tenant):
        return create_endpoint(
            tenant=tenant, application=application, url="https://hooks.example.com/made", events=["cache_miss"]
        ).endpoint


def make_dead(tenant: Tenant, endpoint: WebhookEndpoint) -> Delivery:
    with tenant_scope(tenant):
        delivery = send_test(tenant=tenant, endpoint=endpoint)
        Lane.objects.of(tenant).delete()
        Attempt.objects.create(tenant=tenant, delivery=delivery, number=1, outcome="refused", status=500, excerpt="<b>")
        Delivery.objects.filter(pk=delivery.pk).update(state=DeliveryState.DEAD, attempts=1, finished_at=clock.now())
    return delivery


def state_of(tenant: Tenant, delivery: Delivery) -> str:
    with tenant_scope(tenant):
        return Delivery.objects.of(tenant).get(pk=delivery.pk).state


def test_an_empty_list_says_what_to_do_next(developer: Client, application: Application) -> None:
    page = developer.get("/webhooks/").content.decode()
    assert "No webhooks yet" in page
    assert "/webhooks/new" in page


def test_without_an_application_the_list_says_so(developer: Client) -> None:
    assert "No application yet" in developer.get("/webhooks/").content.decode()


def test_a_webhook_is_made_and_its_secret_shown_once(
    developer: Client, tenant: Tenant, application: Application
) -> None:
    url = developer.post("/webhooks/new", _FORM).url
    assert "whsec_" in developer.get(url).content.decode()
    assert "whsec_" not in developer.get(url).content.decode()
    with tenant_scope(tenant):
        endpoint = WebhookEndpoint.objects.of(tenant).get()
    assert (endpoint.url, endpoint.events, endpoint.signing) == (_FORM["url"], ["member_added"], "standard")
    assert _FORM["url"] in developer.get("/webhooks/").content.decode()


def test_a_bad_address_comes_back_with_the_form(developer: Client, tenant: Tenant, application: Application) -> None:
    page = developer.post("/webhooks/new", {**_FORM, "url": "https://10.1.2.3/"}).content.decode()
    assert "This address cannot be called from here" in page
    assert "https://10.1.2.3/" in page
    with tenant_scope(tenant):
        assert not WebhookEndpoint.objects.of(tenant).exists()


def test_a_webhook_is_changed_gets_a_new_secret_and_is_deleted(
    developer: Client, tenant: Tenant, application: Application
) -> None:
    endpoint = make(tenant, application)
    url = f"/webhooks/{endpoint.public_id}/"
    assert b"errorlist" in developer.post(f"{url}edit", {**_FORM, "batch_events": "501"}).content
    developer.post(f"{url}edit", {**_FORM, "batching": "on", "batch_events": "7"})
    with tenant_scope(tenant):
        endpoint.refresh_from_db()
    assert (endpoint.is_enabled, endpoint.batching, endpoint.events) == (False, True, ["member_added"])
    page = developer.get(url).content.decode()
    assert "This webhook is disabled" in page
    assert "up to 7 events or 16,000 bytes" in page
    assert developer.post(f"{url}secret").url == url
    assert "whsec_" in developer.get(url).content.decode()
    assert developer.post(f"{url}delete").url == "/webhooks/"
    assert developer.get(url).status_code == 404


def test_a_test_event_leads_to_its_own_page(developer: Client, tenant: Tenant, application: Application) -> None:
    endpoint = make(tenant, application)
    answer = developer.post(f"/webhooks/{endpoint.public_id}/test", follow=True)
    assert "A test event is on its way" in answer.content.decode()
    assert "Not sent yet" in answer.content.decode()


def test_the_log_filters_and_pages(
    developer: Client, tenant: Tenant, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.dashboard.webhooks.deliveries._PER_PAGE", 2)
    endpoint = make(tenant, application)
    dead = [make_dead(tenant, endpoint) for _ in range(3)]
    url = f"/webhooks/{endpoint.public_id}/"
    first = developer.get(url).content.decode()
    assert [delivery.public_id in first for delivery in dead] == [False, True, True]
    second = developer.get(url, {"after": dead[1].public_id}).content.decode()
    assert [delivery.public_id + "/" in second for delivery in dead] == [True, False, False]
    assert "No calls here" in developer.get(url, {"state": "delivered"}).content.decode()


def test_one_call_and_a_range_are_replayed(developer: Client, tenant: Tenant, application: Application) -> None:
    endpoint = make(tenant, application)
    one, other = make_dead(tenant, endpoint), make_dead(tenant, endpoint)
    url = f"/webhooks/{endpoint.public_id}/"
    page = developer.get(f"{url}{one.public_id}/").content.decode()
    assert "500" in page
    assert "&lt;b&gt;" in page
    developer.post(f"{url}{one.public_id}/replay")
    assert (state_of(tenant, one), state_of(tenant, other)) == ("pending", "dead")
    assert "1 call is sent again." in developer.post(f"{url}replay", {}, follow=True).content.decode()
    assert state_of(tenant, other) == "pending"
    wrong = developer.post(f"{url}replay", {"since": "soon"}, follow=True).content.decode()
    assert "Give the times as" in wrong


def test_an_analyst_reads_and_changes_nothing(analyst: Client, tenant: Tenant, application: Application) -> None:
    endpoint = make(tenant, application)
    url = f"/webhooks/{endpoint.public_id}/"
    page = analyst.get(url).content.decode()
    assert "Send a test event" not in page.split("<main", 1)[1].split("No calls here")[0]
    for action in ("edit", "delete", "secret", "test", "replay"):
        assert analyst.post(url + action, _FORM).status_code == 403, action


@pytest.mark.parametrize("path", ["", "edit", "delete", "secret", "test", "replay", "{delivery}/", "{delivery}/replay"])
def test_the_neighbours_webhook_is_not_there(
    path: str, developer: Client, application: Application, other_tenant: Tenant, other_application: Application
) -> None:
    endpoint = make(other_tenant, other_application)
    delivery = make_dead(other_tenant, endpoint)
    url = f"/webhooks/{endpoint.public_id}/{path.format(delivery=delivery.public_id)}"
    assert developer.post(url, _FORM).status_code in {404, 405}
    assert developer.get(url).status_code in {404, 405}
    with tenant_scope(other_tenant):
        assert WebhookEndpoint.objects.get(pk=endpoint.pk).is_enabled
    assert state_of(other_tenant, delivery) == "dead"
