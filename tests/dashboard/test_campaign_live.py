"""The campaign's page listens: who gets a signature, and how often the workers tell."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from apps.campaigns.models import Campaign
from apps.messaging import telling
from apps.messaging.models import Message
from apps.messaging.upkeep import end_messages
from apps.realtime import platform
from apps.realtime.platform import platform_application
from apps.realtime.protocol import signing
from apps.tenants.models import Application, Tenant
from apps.tenants.permissions import Role
from apps.tenants.scope import tenant_scope
from tests.api.theirs import MAKERS
from tests.dashboard.conftest import member_client
from tests.dashboard.test_campaign_results import planned, sent
from tests.sending import Recorder, make_people, network

__all__ = ["network"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker", "clean_valkey")]

SOCKET = "12.34"


@pytest.fixture
def marketer(tenant: Tenant, application: Application) -> Client:
    return member_client(tenant, Role.MARKETER)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What went out, in a process that has told nothing yet."""
    heard: list[dict[str, Any]] = []
    monkeypatch.setattr(platform, "tell", lambda **said: heard.append(said | {"data": json.loads(said["data"])}))
    monkeypatch.setattr(telling, "_pace", telling._Pace())
    return heard


def ask(client: Client, campaign: Campaign, channel: str) -> Any:
    return client.post(f"/campaigns/{campaign.public_id}/live", {"socket_id": SOCKET, "channel": channel})


def test_a_member_gets_a_signature_for_the_campaigns_own_channel(
    marketer: Client, application: Application, network: Recorder
) -> None:
    make_people(application, 1)
    campaign = planned(application)
    channel = telling.channel_of(campaign.public_id)
    html = marketer.get(f"/campaigns/{campaign.public_id}/results").content.decode()
    assert f'data-channel="{channel}"' in html
    auth = ask(marketer, campaign, channel).json()["auth"]
    credentials = platform_application(application.tenant.home_region).credentials
    assert signing.is_signed(auth, signing.channel_text(SOCKET, channel, None), credentials)
    assert not signing.is_signed(auth, signing.channel_text("99.9", channel, None), credentials)


def test_nobody_gets_a_signature_for_a_neighbours_campaign_or_another_channel(
    marketer: Client, application: Application, other_tenant: Tenant, other_application: Application, network: Recorder
) -> None:
    make_people(application, 1)
    campaign = planned(application)
    with tenant_scope(other_tenant):
        theirs = MAKERS["campaign_id"](other_tenant, other_application)
    for channel in (telling.channel_of(theirs), "private-results-", "presence-x", ""):
        assert ask(marketer, campaign, channel).status_code == 404
    posted = {"socket_id": SOCKET, "channel": telling.channel_of(theirs)}
    assert marketer.post(f"/campaigns/{theirs}/live", posted).status_code == 404
    bad = marketer.post(
        f"/campaigns/{campaign.public_id}/live",
        {"socket_id": "12.34:private-results-x", "channel": telling.channel_of(campaign.public_id)},
    )
    assert bad.status_code == 400


def test_workers_tell_once_a_second_and_at_the_end(
    application: Application, network: Recorder, told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.messaging.sending.slices.SLICE", 2)
    make_people(application, 7)
    campaign = sent(application)
    assert {said["channel"] for said in told} == {f"private-results-{campaign.public_id}"}
    assert len(told) < 5  # four slices, and the end: fewer words than that
    assert told[-1]["data"]["counts"] | {"accepted": 7, "waiting": 0, "planned": 7} == told[-1]["data"]["counts"]
    assert told[-1]["data"]["ended"] is True
    assert end_messages() == 0


def test_a_second_worker_does_not_repeat_the_first(
    application: Application, network: Recorder, told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_people(application, 3)
    sent(application)
    before = len(told)
    with tenant_scope(application.tenant):
        message = Message.objects.of(application.tenant).select_related("tenant").get()
    monkeypatch.setattr(telling, "_pace", telling._Pace())  # another process
    telling.tell_counts(message)
    assert len(told) == before
