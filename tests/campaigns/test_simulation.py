"""A dry run tells what the send will do, because it is the same code."""

from __future__ import annotations

import pytest

from apps.audience.models import Subscriber
from apps.audience.services.subscribers import upsert_subscriber
from apps.campaigns.models import Campaign
from apps.campaigns.services import create_campaign
from apps.campaigns.services.editing import Plan
from apps.campaigns.simulation import preview_campaign, simulate_campaign
from apps.campaigns.ways import extra_sends
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope
from tests.sending import make_people

pytestmark = pytest.mark.django_db

CONTENT = {"en": {"title": "Hi {{ subscriber.name }}", "body": ""}, "zh-Hans": {"title": "你好", "body": ""}}


@pytest.fixture
def campaign(application: Application, people: list[str]) -> Campaign:
    make_people(application, 1, attributes={"name": None})  # person-0000 has no name
    plan = Plan(name="Spring", audience={"all": True}, routes=["realtime"], content=CONTENT)
    with tenant_scope(application.tenant):
        wang = {"external_id": "wang", "language": "zh-Hans"}
        upsert_subscriber(tenant=application.tenant, application=application, person=wang)
        return create_campaign(tenant=application.tenant, application=application, plan=plan)


def test_a_simulation_counts_languages_and_reasons(campaign: Campaign) -> None:
    with tenant_scope(campaign.tenant_id):
        result = simulate_campaign(campaign)
    assert result.audience == 4
    assert dict(result.planned) == {"en": 2, "zh-Hans": 1}
    assert dict(result.suppressed) == {"template_error": 1}
    assert result.sends == 3
    assert result.is_exact
    assert {sample.external_id for sample in result.samples} == {"person-0001", "person-0002", "wang"}
    assert [(shown.external_id, shown.fault and shown.fault.field) for shown in result.faults] == [
        ("person-0000", "title")
    ]


def test_a_simulation_names_variables_that_nobody_has(campaign: Campaign) -> None:
    with tenant_scope(campaign.tenant_id):
        campaign.changed(content={"en": {"title": "{{ subscriber.shoe_size }}", "body": ""}})
        result = simulate_campaign(campaign)
    assert [fault.message for fault in result.warnings] == ["unknown variable subscriber.shoe_size"]
    assert result.sends == 0


def test_a_preview_is_what_the_person_would_see(campaign: Campaign) -> None:
    with tenant_scope(campaign.tenant_id):
        person = Subscriber.objects.in_application(campaign.application).named("person-0002")
        shown = preview_campaign(campaign, person)
    assert shown.notification is not None
    assert shown.notification.title == "Hi Name 2"


def test_what_the_further_routes_may_cost_is_told(campaign: Campaign) -> None:
    with tenant_scope(campaign.tenant_id):
        campaign.changed(routes=["realtime", "fcm", "webpush"])
        without = simulate_campaign(campaign)
        campaign.changed(fallback_after=60)
        fallback = simulate_campaign(campaign)
        campaign.changed(strategy="all")
        at_once = simulate_campaign(campaign)
    assert [(way.route, way.is_first, way.after, way.extra) for way in without.ways] == [
        ("realtime", True, None, 0), ("fcm", False, None, 0), ("webpush", False, None, 0),
    ]  # fmt: skip
    assert (without.sends, without.extra_sends) == (3, 0)
    assert [(way.route, way.after, way.extra) for way in fallback.ways[1:]] == [("fcm", 60, 3), ("webpush", 60, 3)]
    assert (fallback.sends, fallback.extra_sends) == (3, 6)
    assert [(way.is_first, way.extra) for way in at_once.ways] == [(True, 0), (True, 3), (True, 3)]
    assert fallback.price is not None
    assert fallback.price_at_most is not None
    assert fallback.price_at_most.price >= fallback.price.price


def test_a_variant_with_routes_of_its_own_counts_by_these() -> None:
    routes = {"a": ["realtime"], "b": ["realtime", "fcm"]}
    assert extra_sends("in_sequence", routes, fallback_after=30, people={"a": 70, "b": 30}) == 30
