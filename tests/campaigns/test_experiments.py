"""Experiments through the ledger: who gets which words, who gets none, and who waits for the winner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from apps.audience.models import Subscriber
from apps.audience.services.events import record_events
from apps.campaigns import planning
from apps.campaigns.errors import ExperimentInvalid, WinnerChosen
from apps.campaigns.experiments import Experiment, Variant, Winner
from apps.campaigns.explaining import explain_campaign
from apps.campaigns.models import Campaign, CampaignRun
from apps.campaigns.services import cancel_campaign, choose_winner, create_campaign, schedule_campaign
from apps.campaigns.services.approving import hash_of, signed_plan
from apps.campaigns.services.editing import Plan
from apps.campaigns.services.running import start_due_campaigns
from apps.campaigns.services.winners import choose_due_winners
from apps.campaigns.simulation import simulate_campaign
from apps.campaigns.standing import standing_of
from apps.core import clock
from apps.messaging.ledger.results import Dimension, counts_by
from apps.messaging.ledger.tallies import fold_tallies
from apps.messaging.models import Chunk, Delivery, Receipt
from apps.messaging.queries import differences
from apps.messaging.receipts.conversions import attribute_conversions
from apps.messaging.sending.pipeline import send_due_chunks
from apps.messaging.services import record_signed_reports
from apps.messaging.upkeep import end_messages
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope
from tests.sending import Recorder, make_people

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker")]

CONTENT = {"en": {"title": "Short", "body": "News"}}
TWO = [{"key": "a"}, {"key": "b", "content": {"en": {"title": "Long and friendly", "body": "News"}}}]
START = datetime(2026, 5, 20, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
WINNER = {"share": 40, "after": 7_200}


@pytest.fixture
def started(application: Application, network: Recorder) -> Callable[..., Campaign]:
    """A campaign to sixty people that has started and is planned."""
    make_people(application, 60)

    def started(**experiment: Any) -> Campaign:
        given = {"variants": TWO, "metric": "opened", **experiment}
        follow_up = {"conversion": {"event": "bought", "window": 3_600}}
        plan = Plan("C", {"all": True}, ["realtime"], content=CONTENT, experiment=given, follow_up=follow_up)
        with tenant_scope(application.tenant):
            made = create_campaign(tenant=application.tenant, application=application, plan=plan)
            schedule_campaign(tenant=application.tenant, campaign=made, send_at=None)
        start_due_campaigns()
        assert planning.plan_started_runs(seconds=30) is False
        return made

    return started


def send() -> None:
    assert send_due_chunks(seconds=30) is False
    end_messages()


def run_of(campaign: Campaign) -> CampaignRun:
    runs = CampaignRun.objects.of(campaign.tenant_id).filter(campaign=campaign)
    return runs.select_related("message", "tenant").get()


def variants_in_ledger(campaign: Campaign) -> dict[str, str]:
    """External id -> variant of the chunk."""
    rows = Delivery.objects.of(campaign.tenant_id).filter(message=run_of(campaign).message).select_related("chunk")
    names = dict(Subscriber.objects.of(campaign.tenant_id).values_list("pk", "external_id"))
    return {names[row.subscriber_id]: row.chunk.variant for row in rows}


def open_all(network: Recorder, title: str, most: int = 1_000) -> None:
    pushes = [push for push in network.pushes if push.notification.title == title][:most]
    record_signed_reports(reports=[{"token": push.receipt, "kind": "opened"} for push in pushes])


def test_the_arms_are_stable_weighted_and_independent_of_each_other() -> None:
    experiment = Experiment((Variant("a", 3), Variant("b", 1)), holdout=10, winner=Winner(20, 3_600))
    arms = [experiment.arm_of(7, person) for person in range(20_000)]
    assert arms == [experiment.arm_of(7, person) for person in range(20_000)]
    counted = Counter(arms)
    assert counted["holdout"] == pytest.approx(2_000, abs=150)
    assert counted["?"] == pytest.approx(18_000 * 0.8, abs=250)
    assert counted["a"] / counted["b"] == pytest.approx(3, abs=0.3)
    other = [experiment.arm_of(8, person) for person in range(20_000)]
    both_held_out = sum(mine == theirs == "holdout" for mine, theirs in zip(arms, other, strict=True))
    assert both_held_out == pytest.approx(200, abs=60)


def test_everybody_gets_the_words_of_their_variant_and_the_dry_run_knew(
    started: Callable[..., Campaign], network: Recorder
) -> None:
    campaign = started(holdout=20)
    with tenant_scope(campaign.tenant_id):
        planned = variants_in_ledger(campaign)
        dry = simulate_campaign(campaign)
        people = Subscriber.objects.in_application(campaign.application)
        told = {name: explain_campaign(campaign, people.named(name))[0] for name in planned}
    send()
    got = {push.recipient: {"Short": "a", "Long and friendly": "b"}[push.notification.title] for push in network.pushes}
    assert got == {name: variant for name, variant in planned.items() if variant != "holdout"}
    assert set(planned.values()) == {"a", "b", "holdout"}
    assert dict(dry.by_variant) == dict(Counter(got.values()))
    assert dry.suppressed["holdout"] == list(planned.values()).count("holdout")
    assert {name: answer.variant for name, answer in told.items()} == planned


def test_results_by_variant_add_up_and_stay_when_sums_are_folded(
    started: Callable[..., Campaign], network: Recorder
) -> None:
    campaign = started(holdout=20)
    send()
    open_all(network, "Short", 5)
    for push in network.pushes[:20]:
        record_signed_reports(reports=[{"token": push.receipt, "kind": "received"}])
    with tenant_scope(campaign.tenant_id):
        message = run_of(campaign).message
        before = {dimension: counts_by([message], dimension) for dimension in Dimension}
        assert differences(message) == {}
    assert fold_tallies() > 0
    with tenant_scope(campaign.tenant_id):
        assert {dimension: counts_by([message], dimension) for dimension in Dimension} == before
        assert before[Dimension.VARIANT]["a"].opened == 5
        assert before[Dimension.VARIANT]["b"].opened == 0
        assert sum(counts.planned for counts in before[Dimension.ROUTE].values()) == 60
        assert differences(message) == {}


def test_an_approval_signs_the_variants_too(started: Callable[..., Campaign]) -> None:
    campaign = started()
    with tenant_scope(campaign.tenant_id):
        signed = hash_of(signed_plan(campaign))
        campaign.experiment["holdout"] = 10
        assert hash_of(signed_plan(campaign)) != signed


def test_a_holdout_is_measured_without_being_sent_anything(
    application: Application, started: Callable[..., Campaign], network: Recorder
) -> None:
    with time_machine.travel(START, tick=False):
        campaign = started(holdout=50)
        send()
    with tenant_scope(campaign.tenant_id):
        held_out = [name for name, variant in variants_in_ledger(campaign).items() if variant == "holdout"]
    with time_machine.travel(START + timedelta(minutes=10), tick=False), tenant_scope(application.tenant):
        events = [{"external_id": name, "name": "bought"} for name in held_out[:3]]
        record_events(tenant=application.tenant, application=application, events=events)
    with time_machine.travel(START + timedelta(minutes=20), tick=False):
        assert attribute_conversions() == 3
    with tenant_scope(campaign.tenant_id):
        holdout = standing_of(run_of(campaign)).holdout
        assert holdout is not None
        assert (holdout.held_out.people, holdout.held_out.successes) == (len(held_out), 3)
        assert holdout.others.people == 60 - len(held_out)
        assert {receipt.kind for receipt in Receipt.objects.of(application.tenant)} == {"converted"}
    assert not set(network.recipients) & set(held_out)


def wait_for_the_choice(campaign: Campaign) -> None:
    """Those who wait are due, and so is the choice. The database's own clock cannot be moved."""
    with tenant_scope(campaign.tenant_id):
        run, now = run_of(campaign), clock.now()
        Chunk.objects.of(run.tenant_id).filter(message=run.message, variant="?").update(due_at=now)
        run.changed(decide_at=now)


def test_the_rest_wait_for_the_winner_and_get_it_once(started: Callable[..., Campaign], network: Recorder) -> None:
    campaign = started(winner=WINNER)
    send()
    tested = len(network.pushes)
    assert 0 < tested < 60
    open_all(network, "Long and friendly")
    assert choose_due_winners() == 0
    wait_for_the_choice(campaign)
    send()  # their time has come, and still nobody sends them anything
    assert len(network.pushes) == tested
    assert choose_due_winners() == 1
    assert choose_due_winners() == 0
    send()
    assert sorted(network.recipients) == [f"person-{number:04}" for number in range(60)]
    assert {push.notification.title for push in network.pushes[tested:]} == {"Long and friendly"}
    with tenant_scope(campaign.tenant_id):
        run = run_of(campaign)
        assert run.winner == "b"
        rows = {row.key: row.group for row in standing_of(run).verdict.standings}
        assert rows["a"].people + rows["b"].people == tested  # the rest are no part of the test
        assert differences(run.message) == {}


def test_a_winner_is_chosen_early_only_when_it_is_certain(
    application: Application, started: Callable[..., Campaign], network: Recorder
) -> None:
    make_people(application, 900)
    campaign = started(winner={**WINNER, "share": 90, "early": True})
    send()
    assert choose_due_winners() == 0
    open_all(network, "Short", 150)
    assert choose_due_winners() == 1
    with tenant_scope(campaign.tenant_id):
        assert run_of(campaign).winner == "a"


def test_a_winner_by_hand_counts_and_only_once(started: Callable[..., Campaign], network: Recorder) -> None:
    with time_machine.travel(START, tick=False):
        campaign = started(winner=WINNER)
        tenant = campaign.tenant
        with tenant_scope(tenant):
            with pytest.raises(ExperimentInvalid):
                choose_winner(tenant=tenant, campaign=campaign, variant="c")
            choose_winner(tenant=tenant, campaign=campaign, variant="b")
            with pytest.raises(WinnerChosen):
                choose_winner(tenant=tenant, campaign=campaign, variant="a")
        send()
    assert len(network.pushes) == len(set(network.recipients)) == 60


def test_a_winner_by_another_route_takes_the_rest_along(started: Callable[..., Campaign], network: Recorder) -> None:
    with time_machine.travel(START, tick=False):
        campaign = started(variants=[{"key": "a"}, {"key": "b", "routes": ["console"]}], winner=WINNER)
        with tenant_scope(campaign.tenant_id):
            choose_winner(tenant=campaign.tenant, campaign=campaign, variant="b")
        send()
    with tenant_scope(campaign.tenant_id):
        by_route = counts_by([run_of(campaign).message], Dimension.ROUTE)
        assert by_route["console"].accepted > by_route["realtime"].accepted > 0
        assert by_route["console"].accepted + by_route["realtime"].accepted == 60
        assert differences(run_of(campaign).message) == {}


def test_cancelling_while_the_rest_wait_ends_it(started: Callable[..., Campaign], network: Recorder) -> None:
    campaign = started(winner=WINNER)
    send()
    tested = len(network.pushes)
    with tenant_scope(campaign.tenant_id):
        cancel_campaign(tenant=campaign.tenant, campaign=campaign)
    wait_for_the_choice(campaign)
    assert choose_due_winners() == 0
    send()
    assert len(network.pushes) == tested
    with tenant_scope(campaign.tenant_id):
        assert run_of(campaign).message.ended_at is not None
        assert differences(run_of(campaign).message) == {}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"variants": [{"key": "a"}]}, "variants"),
        ({"variants": []}, "variants"),
        ({"variants": [{"key": "a"}, {"key": "a"}]}, "variants"),
        ({"variants": [{"key": "holdout"}, {"key": "a"}]}, "variants.0.key"),
        ({"variants": [{"key": "?"}, {"key": "a"}]}, "variants.0.key"),
        ({"variants": [{"key": "a", "weight": 0}, {"key": "b"}]}, "variants.0.weight"),
        ({"variants": [{"key": "a", "weight": True}, {"key": "b"}]}, "variants.0.weight"),
        (
            {"variants": [{"key": "a", "content": {"de": {"title": "x", "body": ""}}}, {"key": "b"}]},
            "variants.0.content",
        ),
        ({"variants": [{"key": "a", "colour": 1}, {"key": "b"}]}, "variants.0.colour"),
        ({"variants": TWO, "holdout": 51}, "holdout"),
        ({"variants": TWO, "metric": "joy"}, "metric"),
        ({"variants": TWO, "winner": {"share": 100, "after": 7_200}}, "winner.share"),
        ({"variants": TWO, "winner": {"share": 10, "after": 10}}, "winner.after"),
        ({"variants": TWO, "winner": {"share": 10, "after": 90_000}}, "winner.after"),
        ({"variants": TWO, "winner": {"share": 10, "after": 7_200, "early": "yes"}}, "winner.early"),
        ({"variants": [{"key": "a"}], "holdout": 5, "winner": WINNER}, "winner"),
        ({"variants": TWO, "alpha": 0.5}, "alpha"),
    ],
)
def test_an_experiment_that_does_not_work_is_refused(application: Application, given: Any, field: str) -> None:
    plan = Plan("C", {"all": True}, ["realtime"], content=CONTENT, experiment=given, ttl=86_400)
    with tenant_scope(application.tenant), pytest.raises(ExperimentInvalid) as refused:
        create_campaign(tenant=application.tenant, application=application, plan=plan)
    assert list(refused.value.fields) == [f"experiment.{field}"]
