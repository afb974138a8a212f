"""The page of results: figures with their base, charts with tables, files, and what it must not read."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.audience.models import Subscriber
from apps.campaigns import planning
from apps.campaigns.models import Campaign, CampaignRun
from apps.campaigns.services import create_campaign, schedule_campaign
from apps.campaigns.services.editing import Plan
from apps.campaigns.services.running import start_due_campaigns
from apps.core import clock
from apps.messaging import exporting
from apps.messaging.ledger.tallies import fold_tallies
from apps.messaging.models import Chunk, Message, ReceiptTally
from apps.messaging.sending.pipeline import send_due_chunks
from apps.messaging.services import record_signed_reports
from apps.messaging.upkeep import end_messages
from apps.providers.base import Outcome, Result
from apps.tenants.models import Application, Tenant
from apps.tenants.permissions import Role
from apps.tenants.scope import tenant_scope
from tests.dashboard.conftest import member_client
from tests.sending import Recorder, make_people, network

__all__ = ["network"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker")]

CONTENT = {"en": {"title": "Short", "body": "News"}, "zh-Hans": {"title": "短", "body": "新闻"}}
TWO = [{"key": "a"}, {"key": "b", "content": {**CONTENT, "en": {"title": "Long", "body": "News"}}}]


@pytest.fixture
def marketer(tenant: Tenant, application: Application) -> Client:
    return member_client(tenant, Role.MARKETER)


def planned(application: Application, **more: Any) -> Campaign:
    """A campaign to everybody that has started and is planned."""
    plan = Plan("Spring", {"all": True}, more.pop("routes", ["realtime"]), content=CONTENT, **more)
    with tenant_scope(application.tenant):
        campaign = create_campaign(tenant=application.tenant, application=application, plan=plan)
        schedule_campaign(tenant=application.tenant, campaign=campaign, send_at=None)
    start_due_campaigns()
    planning.plan_started_runs(seconds=30)
    return campaign


def sent(application: Application, **more: Any) -> Campaign:
    campaign = planned(application, **more)
    send_due_chunks(seconds=30)
    end_messages()
    return campaign


def report(network: Recorder, kind: str, most: int, **more: object) -> None:
    record_signed_reports(reports=[{"token": push.receipt, "kind": kind, **more} for push in network.pushes[:most]])


def read(response: Any) -> list[dict[str, str]]:
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def count_shown(html: str, name: str) -> str:
    found = re.search(rf'data-count="{name}">([^<]*)<', html)
    assert found, name
    return found[1]


def test_every_step_is_told_with_its_rate_and_base(
    marketer: Client, application: Application, network: Recorder
) -> None:
    make_people(application, 10)
    network.answer = lambda push: Outcome(
        push.id, Result.REJECTED if push.recipient < "person-0002" else Result.ACCEPTED, reason="not_connected"
    )
    campaign = sent(application)
    network.pushes = [push for push in network.pushes if push.recipient >= "person-0002"]
    report(network, "opened", 4)
    report(network, "converted", 1, amount="19.50", currency="EUR")
    html = marketer.get(f"/campaigns/{campaign.public_id}/results").content.decode()
    steps = ("planned", "attempted", "accepted", "received", "opened", "clicked", "converted")
    assert [count_shown(html, step) for step in steps] == ["10", "10", "8", "4", "4", "0", "1"]
    for said in ("80.0 % of attempted", "50.0 % of accepted", "12.5 % of accepted", "19.50 EUR", "not connected"):
        assert said in html
    assert html.count('<svg class="chart"') == 4  # the funnel, the course, the routes, the languages
    assert "hx-trigger" not in html  # it has ended


def test_a_campaign_that_has_not_started_says_so(marketer: Client, application: Application) -> None:
    plan = Plan("Later", {"all": True}, ["realtime"], content=CONTENT)
    with tenant_scope(application.tenant):
        campaign = create_campaign(tenant=application.tenant, application=application, plan=plan)
    html = marketer.get(f"/campaigns/{campaign.public_id}/results").content.decode()
    assert "Nothing to tell yet" in html
    assert "recipients.csv" not in html


def test_it_asks_again_while_something_moves(marketer: Client, application: Application, network: Recorder) -> None:
    make_people(application, 3)
    campaign = planned(application)
    html = marketer.get(f"/campaigns/{campaign.public_id}/results").content.decode()
    assert f'hx-get="/campaigns/{campaign.public_id}/results/part' in html
    assert count_shown(html, "waiting") == "3"
    part = marketer.get(f"/campaigns/{campaign.public_id}/results/part").content.decode()
    assert part.strip().startswith('<div id="results"')


def test_an_experiment_shows_its_interval_and_lets_somebody_choose(
    marketer: Client, application: Application, network: Recorder
) -> None:
    make_people(application, 40)
    winner = {"share": 50, "after": 7_200}
    campaign = sent(application, experiment={"variants": TWO, "metric": "opened", "winner": winner})
    report(network, "opened", 5)
    address = f"/campaigns/{campaign.public_id}/results"
    html = marketer.get(address).content.decode()
    assert "Differences in percent points" in html
    assert '<g class="open">' in html  # its interval crosses zero, and says so
    assert "not decided yet" in html
    assert "Send B to them now" in html
    assert marketer.post(f"/campaigns/{campaign.public_id}/winner?variant=b").status_code == 302
    assert "B was chosen" in marketer.get(address).content.decode()
    refused = marketer.post(f"/campaigns/{campaign.public_id}/winner?variant=a")
    assert refused.status_code == 409
    assert 'role="alert"' in refused.content.decode()


def test_held_out_people_who_convert_are_no_success(
    marketer: Client, application: Application, network: Recorder
) -> None:
    make_people(application, 20)
    campaign = sent(application, experiment={"variants": TWO, "metric": "opened", "holdout": 50})
    with tenant_scope(application.tenant):
        message = Message.objects.of(application.tenant).get()
        ReceiptTally.objects.create(
            tenant=application.tenant, message=message, kind="converted", variant="holdout", quantity=3, amount=0,
            hour=clock.now(),
        )  # fmt: skip
    html = marketer.get(f"/campaigns/{campaign.public_id}/results").content.decode()
    assert count_shown(html, "converted") == "0"


def test_pushes_that_were_taken_back_are_shown(
    marketer: Client, application: Application, network: Recorder, api: Any
) -> None:
    make_people(application, 2)
    campaign = sent(application)
    with tenant_scope(application.tenant):
        Message.objects.of(application.tenant).update(withdrawn=1_204)
    html = marketer.get(f"/campaigns/{campaign.public_id}/results").content.decode()
    assert count_shown(html, "withdrawn") == "1,204"
    told = api.get(f"/api/v1/campaigns/{campaign.public_id}/results").json()
    assert told["withdrawn_count"] == 1_204


@pytest.mark.parametrize("by", ["variant", "route", "language", "hour"])
def test_a_breakdown_is_a_file(marketer: Client, application: Application, network: Recorder, by: str) -> None:
    make_people(application, 2)
    make_people(application, 1, language="zh-Hans")
    campaign = sent(application)
    response = marketer.get(f"/campaigns/{campaign.public_id}/results.csv?by={by}")
    assert f"{campaign.public_id}-{by}.csv" in response["Content-Disposition"]
    rows = read(response)
    assert sum(int(row["accepted"]) for row in rows) == 2
    assert all(row["accepted_of_attempted"] in {"1.000000", ""} for row in rows)
    if by == "language":
        assert sorted(row["language"] for row in rows) == ["en", "zh-Hans"]


def test_everybody_is_a_file_page_by_page(
    marketer: Client, application: Application, network: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "_PAGE", 2)
    names = make_people(application, 5)
    network.answer = lambda push: Outcome(
        push.id, Result.REJECTED if push.recipient == "person-0003" else Result.ACCEPTED, reason="not_connected"
    )
    campaign = sent(application)
    report(network, "clicked", 1)
    rows = read(marketer.get(f"/campaigns/{campaign.public_id}/recipients.csv"))
    assert [row["external_id"] for row in rows] == names
    assert [row["state"] for row in rows] == ["accepted"] * 3 + ["rejected", "accepted"]
    assert rows[3]["reason"] == "not_connected"
    clicked = [row for row in rows if row["clicked_at"]]
    assert [row["external_id"] for row in clicked] == [network.pushes[0].recipient]
    assert clicked[0]["opened_at"] == clicked[0]["clicked_at"]  # implied by it


def test_a_run_is_chosen_or_all_together(marketer: Client, application: Application, network: Recorder) -> None:
    make_people(application, 2)
    campaign = sent(application)
    with tenant_scope(application.tenant):
        first = CampaignRun.objects.of(application.tenant).get()
        message = Message.objects.of(application.tenant).get()
        message.pk = None
        message.save()
        CampaignRun.objects.create(
            tenant=application.tenant, campaign=campaign, message=message, audience={}, rules={}, until=0,
            due_at=first.due_at + timedelta(days=1),
        )  # fmt: skip
        Chunk.objects.create(tenant=application.tenant, message=message, number=0, planned=5, is_done=True)
    address = f"/campaigns/{campaign.public_id}/results"
    for query, planned_count in (("", "5"), (f"?run={first.public_id}", "2"), ("?run=all", "7")):
        assert count_shown(marketer.get(address + query).content.decode(), "planned") == planned_count
    assert marketer.get(f"{address}?run=run_nobody").status_code == 404


@pytest.mark.parametrize("page", ["results", ""])
def test_no_page_reads_the_ledgers_rows(
    marketer: Client, application: Application, network: Recorder, page: str
) -> None:
    make_people(application, 3)
    network.answer = lambda push: Outcome(push.id, Result.REJECTED, reason="not_connected")
    campaign = sent(application)
    fold_tallies()
    with CaptureQueriesContext(connection) as queries:
        html = marketer.get(f"/campaigns/{campaign.public_id}/{page}").content.decode()
    assert "not connected" in html
    said = " ".join(query["sql"] for query in queries)
    assert "messaging_deliverytally" in said
    assert not re.search(r'"messaging_(delivery|receipt)"', said)


def test_one_persons_moments_are_a_page_linked_from_deliveries_and_the_person(
    marketer: Client, application: Application, network: Recorder, api: Any
) -> None:
    make_people(application, 2, timezone="Asia/Tokyo")
    campaign = sent(application)
    report(network, "opened", 2)
    address = f"/campaigns/{campaign.public_id}/recipient?external_id=person-0001"
    assert address in marketer.get(f"/campaigns/{campaign.public_id}/deliveries").content.decode()
    html = marketer.get(address).content.decode()
    for said in ("Planned", "Handed over", "Accepted", "opened", "when the campaign was due", "Asia/Tokyo"):
        assert said in html
    with tenant_scope(application.tenant):
        person = Subscriber.objects.in_application(application).named("person-0001").public_id
    run = api.get(f"/api/v1/campaigns/{campaign.public_id}/recipients/person-0001").json()["run_id"]
    assert f"{address}&amp;run={run}" in marketer.get(f"/subscribers/{person}/").content.decode()
    assert "There is no such subscriber" in marketer.get(address.replace("0001", "9999")).content.decode()


def test_one_persons_moments_over_the_api(application: Application, network: Recorder, api: Any) -> None:
    make_people(application, 1)
    campaign = sent(application)
    told = api.get(f"/api/v1/campaigns/{campaign.public_id}/recipients/person-0000").json()
    assert [moment["what"] for moment in told["moments"]] == ["planned", "attempted", "accepted"]
    assert told["moments"][0] | {"start": "at_once", "held_by": [], "attempt": 0} == told["moments"][0]
    assert api.get(f"/api/v1/campaigns/{campaign.public_id}/recipients/nobody").status_code == 404
    assert api.get(f"/api/v1/campaigns/{campaign.public_id}/recipients/person-0000?run=run_x").status_code == 404
