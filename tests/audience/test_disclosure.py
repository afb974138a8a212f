"""What a person gets who asks for everything, and what is left after they are erased."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from apps.audience.addresses import DeviceIn
from apps.audience.models import BehaviourEvent, Device, OptOut, Subscriber
from apps.audience.services import disclosure
from apps.audience.services.devices import register_device
from apps.audience.services.events import record_events
from apps.audience.services.preferences import create_category, set_preferences
from apps.audience.services.subscribers import upsert_subscriber
from apps.tenants.models import Application, AuditEntry, Tenant
from apps.tenants.permissions import Role
from apps.tenants.scope import tenant_scope
from apps.tenants.services import verify_audit
from tests.api.helpers import problem
from tests.dashboard.conftest import member_client

pytestmark = pytest.mark.django_db
_URL = "/api/v1/subscribers/ada"


@pytest.fixture
def ada(tenant: Tenant, application: Application) -> Subscriber:
    """With something of each kind, beside somebody else who has the same."""
    with tenant_scope(tenant):
        create_category(tenant=tenant, application=application, key="news", names={"en": "News"})
        for name in ("bob", "ada"):
            told = {"external_id": name, "attributes": {"plan": "pro"}, "tags": ["vip"]}
            person, _new = upsert_subscriber(tenant=tenant, application=application, person=told)
            phone = DeviceIn("ios", f"token-of-{name}")
            register_device(tenant=tenant, application=application, external_id=name, device=phone)
            events = [{"external_id": name, "name": f"{name} did {n}"} for n in range(3)]
            record_events(tenant=tenant, application=application, events=events)
            set_preferences(tenant=tenant, person=person, source="api", unsubscribed=True, wanted={"news": False})
    return person


def test_everything_of_the_person_and_nothing_of_others(
    ada: Subscriber, tenant: Tenant, api: APIClient, other_api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disclosure, "MAX_EVENTS", 2)

    told = api.post(f"{_URL}/disclosure")
    rest = api.get(f"{_URL}/events", {"cursor": told.json()["events_next"]}).json()

    body = told.json()
    assert (body["subscriber"]["external_id"], body["subscriber"]["attributes"]) == ("ada", {"plan": "pro"})
    assert [device["address"] for device in body["devices"]] == ["token-of-ada"]
    assert {refusal["category"] for refusal in body["opt_outs"]} == {None, "news"}
    assert {event["name"] for event in [*body["events"], *rest["data"]]} == {"ada did 0", "ada did 1", "ada did 2"}
    assert body["journeys"] == []
    assert b"bob" not in told.content
    problem(other_api.post(f"{_URL}/disclosure"), 404, "not_found")
    with tenant_scope(tenant):
        entry = AuditEntry.objects.of(tenant).latest("pk")
    assert (entry.action, entry.target) == ("subscriber.disclosed", ada.public_id)


def test_an_analyst_downloads_the_file(ada: Subscriber, tenant: Tenant) -> None:
    answer = member_client(tenant, Role.ANALYST).post(f"/subscribers/{ada.public_id}/disclosure/")

    assert answer["Content-Disposition"] == f'attachment; filename="{ada.public_id}.json"'
    assert len(answer.json()["events"]) == 3


def test_erasing_leaves_no_row_and_one_entry_in_the_audit_chain(
    ada: Subscriber, tenant: Tenant, api: APIClient, client: Client
) -> None:
    assert api.delete(_URL).status_code == 204

    with tenant_scope(tenant):
        assert [person.external_id for person in Subscriber.objects.of(tenant)] == ["bob"]
        for model in (Device, OptOut, BehaviourEvent):
            assert not model.objects.of(tenant).filter(subscriber_id=ada.pk).exists()
        assert BehaviourEvent.objects.of(tenant).count() == 3
        entry = AuditEntry.objects.of(tenant).latest("pk")
        assert (entry.action, entry.target) == ("subscriber.erased", ada.public_id)
        assert verify_audit(tenant=tenant).broken_at is None
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM audience_event WHERE name LIKE 'ada%%'", [])
            assert cursor.fetchone() == (0,)
