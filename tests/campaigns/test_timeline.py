"""One person's moments in a run, and why they were planned for then."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from apps.audience.models import Subscriber
from apps.campaigns.models import CampaignRun
from apps.campaigns.planner.moments import Hold, Start, explained
from apps.campaigns.planner.rules import BestHour, LocalTime, Missed, Rules
from apps.campaigns.timeline import Timeline, timeline_of
from apps.messaging.sending.hours import QuietAction, QuietHours
from apps.messaging.services import record_signed_reports
from apps.providers.base import Outcome, Result, Scope
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope
from tests.dashboard.test_campaign_results import planned, sent
from tests.sending import Recorder, make_people

START = datetime(2026, 5, 20, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
NIGHT = QuietHours(time(22), time(8), QuietAction.HOLD)
NINE = LocalTime(datetime(2026, 5, 20, 9), Missed.NEXT_DAY)


def rules(**more: Any) -> Rules:
    return Rules(START, ("en",), "en", **more)


@pytest.mark.parametrize(
    ("given", "zone", "due_at", "expected"),
    [
        ({}, "UTC", START, (Start.AT_ONCE, ())),
        ({"throttle": 60}, "UTC", START + HOUR, (Start.AT_ONCE, (Hold.QUEUE,))),
        ({}, "UTC", START + HOUR, (Start.AT_ONCE, ())),  # nothing in the rules accounts for it
        ({"timing": NINE}, "America/New_York", START + 4 * HOUR, (Start.LOCAL_TIME, ())),
        ({"quiet": NIGHT}, "Asia/Tokyo", START, (Start.AT_ONCE, ())),  # 18:00 there
        ({"quiet": NIGHT}, "America/Los_Angeles", START + 6 * HOUR, (Start.AT_ONCE, (Hold.QUIET_HOURS,))),
        (
            {"quiet": NIGHT, "throttle": 60}, "America/Los_Angeles", START + 7 * HOUR,
            (Start.AT_ONCE, (Hold.QUIET_HOURS, Hold.QUEUE)),
        ),
        ({"timing": BestHour(10), "quiet": NIGHT}, "UTC", START + HOUR, (Start.BEST_HOUR, ())),
    ],
)  # fmt: skip
def test_a_moment_is_explained_by_the_rules_and_nothing_else(
    given: dict[str, Any], zone: str, due_at: datetime, expected: object
) -> None:
    found = explained(rules(**given), timezone=zone, due_at=due_at, began_at=START, waited_for_winner=False)
    assert found == expected


def test_who_waited_for_the_winner_was_planned_by_it() -> None:
    found = explained(rules(), timezone="UTC", due_at=START + HOUR, began_at=START, waited_for_winner=True)
    assert found == (Start.WINNER, ())


def timeline(application: Application, name: str) -> Timeline:
    with tenant_scope(application.tenant):
        run = CampaignRun.objects.of(application.tenant).select_related("message").get()
        return timeline_of(run, Subscriber.objects.in_application(application).named(name))


@pytest.mark.django_db
@pytest.mark.usefixtures("as_worker")
class TestInTheLedger:
    def test_each_route_its_answer_and_what_people_did_are_told_in_order(
        self, application: Application, network: Recorder
    ) -> None:
        make_people(application, 1, timezone="Asia/Shanghai")

        def answer(push: Any) -> Outcome:
            if len(network.pushes) == 1:
                return Outcome(push.id, Result.REJECTED, Scope.DEVICE, "not_connected")
            return Outcome(push.id, Result.ACCEPTED)

        network.answer = answer
        sent(application, routes=["realtime", "console"])
        record_signed_reports(
            reports=[
                {"token": network.pushes[1].receipt, "kind": "clicked"},
                {"token": network.pushes[1].receipt, "kind": "converted", "amount": "5", "currency": "EUR"},
            ]
        )
        found = timeline(application, "person-0000")
        assert [(moment.what, moment.route) for moment in found.moments] == [
            ("planned", "realtime"), ("attempted", "realtime"), ("rejected", "realtime"),
            ("planned", "console"), ("attempted", "console"), ("accepted", "console"),
            ("received", "console"), ("opened", "console"), ("clicked", "console"), ("converted", "console"),
        ]  # fmt: skip
        assert found.timezone == "Asia/Shanghai"
        by_what = {(moment.what, moment.route): moment for moment in found.moments}
        assert by_what["planned", "realtime"].start is Start.AT_ONCE
        assert by_what["planned", "console"].start is Start.NEXT_ROUTE
        assert by_what["rejected", "realtime"].reason == "not_connected"
        assert str(by_what["converted", "console"].amount) == "5.0000"

    def test_who_was_left_out_is_told_why_and_was_planned_for_nothing(
        self, application: Application, network: Recorder
    ) -> None:
        make_people(application, 30)
        sent(application, experiment={"variants": [{"key": "a"}], "holdout": 50, "metric": "opened"})
        reached = set(network.recipients)
        name = next(name for name in (f"person-{n:04}" for n in range(30)) if name not in reached)
        found = timeline(application, name)
        assert [(moment.what, moment.reason) for moment in found.moments] == [("suppressed", "holdout")]
        assert found.variant == "holdout"

    def test_who_still_waits_is_only_planned(self, application: Application, network: Recorder) -> None:
        make_people(application, 1)
        planned(application)
        assert [moment.what for moment in timeline(application, "person-0000").moments] == ["planned"]

    def test_a_run_that_knows_nobody_has_no_moments(self, application: Application, network: Recorder) -> None:
        make_people(application, 1)
        planned(application)
        make_people(application, 2)
        assert not timeline(application, "person-0001").moments
