"""Buttons below a message: written, rendered, carried by the routes, counted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from django.test import Client

from apps.campaigns import planning
from apps.campaigns.models import Campaign, CampaignRun
from apps.campaigns.results import results_of, runs_chosen
from apps.campaigns.services import create_campaign, schedule_campaign
from apps.campaigns.services.editing import Plan
from apps.campaigns.services.running import start_due_campaigns
from apps.messaging.content.rendering import compile_content
from apps.messaging.errors import TemplateInvalid
from apps.messaging.ledger.results import Dimension
from apps.messaging.models import InboxItem, Receipt
from apps.messaging.sending.pipeline import send_due_chunks
from apps.messaging.services import record_signed_reports
from apps.providers.apns.requests import payload_of
from apps.providers.base import Button, Endpoint, Notification, Push
from apps.providers.fcm.requests import message_for
from apps.providers.payload import members_of
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope
from tests.sending import Recorder, network, people

__all__ = ["network", "people"]

BUY = {"action": "buy", "title": "Buy, {{ subscriber.name }}", "url": "https://shop.test/{{ subscriber.external_id }}"}
LATER = {"title": "Later"}
SHOWN = (Button("buy", "Buy, Ada", "https://shop.test/1"), Button("button2", "Later"))
ACTIONS = [
    {"action": "buy", "title": "Buy, Ada", "url": "https://shop.test/1"},
    {"action": "button2", "title": "Later", "url": None},
]


def words(*buttons: Any) -> dict[str, Any]:
    return {"en": {"title": "Sale", "buttons": list(buttons)}}


def test_titles_and_links_are_personal() -> None:
    content = compile_content(words(BUY, LATER))
    shown = content.render("en", {"subscriber": {"name": "Ada", "external_id": "1"}})
    assert shown.buttons == SHOWN


@pytest.mark.parametrize(
    ("buttons", "field"),
    [
        ([LATER] * 5, "buttons"),
        ([{**BUY}, {**BUY}], "buttons"),
        (["buy"], "buttons.0"),
        ([{**LATER, "icon": "x"}], "buttons.0"),
        ([{**LATER, "action": "Buy now"}], "buttons.0.action"),
        ([LATER, {"title": " "}], "buttons.1.title"),
        ([{"title": "x" * 61}], "buttons.0.title"),
        ([{"title": "{{ oops"}], "buttons.0.title"),
        ([{"title": "a", "url": "{{ secrets.key }}"}], "buttons.0.url"),
    ],
)
def test_buttons_that_cannot_work_are_refused_where_they_stand(buttons: list[Any], field: str) -> None:
    with pytest.raises(TemplateInvalid) as refused:
        compile_content(words(*buttons))
    assert [fault.field for fault in refused.value.faults][:1] == [field]


def test_a_button_that_leads_nowhere_safe_is_not_sent() -> None:
    content = compile_content(words({"title": "a", "url": "{{ variables.to }}"}))
    with pytest.raises(Exception, match="is not a safe address"):
        content.render("en", {"variables": {"to": "javascript:alert(1)"}})


def push() -> Push:
    notification = Notification("Sale", "", data={"sku": 7}, buttons=SHOWN)
    return Push("0" * 32, "ada", notification, "msg_1", "cmp_1", datetime(2026, 5, 1, tzinfo=UTC))


def test_every_route_that_carries_data_carries_the_buttons() -> None:
    assert members_of(push())["data"] == {"sku": 7, "actions": ACTIONS}
    fcm = message_for(push(), Endpoint("t"), datetime(2026, 5, 1, tzinfo=UTC))
    assert orjson.loads(fcm["data"]["data"])["actions"] == ACTIONS
    assert fcm["apns"]["payload"]["aps"]["category"] == "buy-button2"
    apns = payload_of(push(), "alert", datetime(2026, 5, 1, tzinfo=UTC))
    assert apns["aps"]["category"] == "buy-button2"
    assert apns["pushsaas"]["data"]["actions"] == ACTIONS


@pytest.fixture
def sent(application: Application, people: list[str], network: Recorder) -> Callable[..., Campaign]:
    def sent(**follow_up: Any) -> Campaign:
        plan = Plan("C", {"all": True}, ["realtime"], content=words(BUY, LATER), follow_up=follow_up)
        with tenant_scope(application.tenant):
            campaign = create_campaign(tenant=application.tenant, application=application, plan=plan)
            schedule_campaign(tenant=application.tenant, campaign=campaign, send_at=None)
        start_due_campaigns()
        planning.plan_started_runs(seconds=30)
        send_due_chunks(seconds=30)
        return campaign

    return sent


@pytest.mark.django_db
@pytest.mark.usefixtures("as_worker")
def test_a_click_on_a_button_is_counted_by_its_name(
    sent: Callable[..., Campaign], network: Recorder, settings: Any
) -> None:
    settings.PUBLIC_URL = "https://push.test"
    campaign = sent(track_clicks=True)
    links = [urlsplit(push.notification.buttons[0].url) for push in network.pushes]
    assert network.pushes[0].notification.buttons[1].url == ""
    answer = Client().get(f"{links[0].path}?{links[0].query}")
    assert (answer.status_code, answer.headers["Location"]) == (302, parse_qs(links[0].query)["u"][0])
    forged = Client().get(f"{links[1].path}?{links[1].query.replace('b=buy', 'b=sell')}")
    assert forged.status_code == 404
    report = {"token": network.pushes[2].receipt, "kind": "clicked", "button": "button2"}
    assert [one.status for one in record_signed_reports(reports=[report])] == ["recorded"]
    assert [one.status for one in record_signed_reports(reports=[{**report, "button": "No!"}])] == ["rejected"]
    with tenant_scope(campaign.tenant_id):
        found = results_of(runs_chosen(campaign, ""), Dimension.VARIANT)
    assert found.buttons == {"button2": 1, "buy": 1}
    assert found.counts.clicked == 2


@pytest.mark.django_db
@pytest.mark.usefixtures("as_worker")
def test_the_copy_in_the_inbox_has_them(sent: Callable[..., Campaign]) -> None:
    campaign = sent(inbox={})
    with tenant_scope(campaign.tenant_id):
        item = InboxItem.objects.of(campaign.tenant_id).order_by("pk").first()
        assert item is not None
        assert [one["action"] for one in item.data["actions"]] == ["buy", "button2"]
        assert not Receipt.objects.of(campaign.tenant_id).exists()
        assert CampaignRun.objects.of(campaign.tenant_id).count() == 1
