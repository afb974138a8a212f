"""A day's quota that a credential declares is planned with, in days of China, beside what was used of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from apps.campaigns.models import Campaign
from apps.campaigns.planner.slots import DAY, Window
from apps.campaigns.planning import plan_started_runs
from apps.campaigns.services import create_campaign, schedule_campaign
from apps.campaigns.services.editing import Plan
from apps.campaigns.services.running import start_due_campaigns
from apps.campaigns.simulation import Simulation, simulate_campaign
from apps.messaging.models import Delivery
from apps.providers.base import Credential, Sender
from apps.providers.credentials import save_credential
from apps.providers.vendors.xiaomi import XiaomiProvider
from apps.tenants.models import Application, Role
from apps.tenants.scope import tenant_scope
from tests.dashboard.conftest import member_client
from tests.sending import make_people

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clean_valkey")]

WORDS = {"title": "Hi", "body": "News"}
VALUES = {"app_secret": "secret", "package_name": "com.example.shop", "daily_quota": "4"}
#: Half past one in the night in China, where the day of UTC is still the one before.
NIGHT = datetime(2026, 5, 20, 17, 30, tzinfo=UTC)
MIDNIGHT = datetime(2026, 5, 21, 16, tzinfo=UTC)


@pytest.fixture
def account(application: Application, monkeypatch: pytest.MonkeyPatch) -> str:
    """Public id of a credential whose day takes four."""
    monkeypatch.setattr(XiaomiProvider, "check", lambda _self: None)
    make_people(application, 6)
    saved = save_credential(
        tenant=application.tenant, application=application, provider="xiaomi", name="Xiaomi", values=VALUES
    )
    return saved.public_id


@pytest.fixture
def made(application: Application, account: str) -> Callable[..., Campaign]:
    def made(words: dict[str, str] = WORDS, **given: Any) -> Campaign:
        plan = {"name": "C", "audience": {"all": True}, "routes": ["xiaomi"], "content": {"en": words}, **given}
        with tenant_scope(application.tenant):
            return create_campaign(tenant=application.tenant, application=application, plan=Plan(**plan))

    return made


def _dry_run(campaign: Campaign) -> Simulation:
    with tenant_scope(campaign.tenant_id):
        return simulate_campaign(campaign.refreshed())


def _use(application: Application, account: str, count: int) -> None:
    sender = Sender(
        application.tenant.home_region,
        application.tenant_id,
        application.application_id,
        (Credential(account, VALUES),),
    )
    assert XiaomiProvider(sender).quota(of_marketing=True).take(count) == count


def test_what_a_day_does_not_take_waits_for_midnight_in_china(made: Callable[..., Campaign]) -> None:
    with time_machine.travel(NIGHT, tick=False):
        found = _dry_run(made())
    assert found.by_hour == {NIGHT.replace(minute=0): 4, MIDNIGHT: 2}
    assert found.provider_day is not None
    assert (found.provider_day.route, found.provider_day.per_day, found.provider_day.left) == ("xiaomi", 4, 4)
    assert (found.exceeds_the_day, found.provider_days) == (True, 2)


def test_what_was_sent_today_is_taken_off(
    made: Callable[..., Campaign], application: Application, account: str
) -> None:
    with time_machine.travel(NIGHT, tick=False):
        _use(application, account, 3)
        found = _dry_run(made())
    assert found.by_hour == {NIGHT.replace(minute=0): 1, MIDNIGHT: 4, MIDNIGHT.replace(day=22): 1}
    assert found.provider_day is not None
    assert found.provider_day.left == 1


def test_a_run_is_spread_as_its_dry_run_said(
    made: Callable[..., Campaign], application: Application, account: str, as_worker: None
) -> None:
    with time_machine.travel(NIGHT, tick=False):
        _use(application, account, 3)
        campaign = made()
        with tenant_scope(application.tenant):
            schedule_campaign(tenant=application.tenant, campaign=campaign, send_at=None)
        start_due_campaigns()
        assert plan_started_runs(seconds=30) is False
        with tenant_scope(application.tenant):
            planned = Delivery.objects.of(application.tenant_id).select_related("chunk")
            assert sorted(row.chunk.due_at.day for row in planned) == [20, 21, 21, 21, 21, 22]
        left = _dry_run(made()).provider_day
    assert left is not None
    assert left.left == 0


def test_a_service_message_is_under_no_quota_of_marketing(made: Callable[..., Campaign]) -> None:
    found = _dry_run(made({**WORDS, "purpose": "service"}))
    assert (found.provider_day, found.exceeds_the_day, len(found.by_hour)) == (None, False, 1)


def test_a_limit_that_was_lowered_or_used_by_others_leaves_no_room() -> None:
    lowered = Window(DAY, 3, {"partial": {"7": 5, "8": 2}})
    assert (lowered.room(7), lowered.room(8), lowered.free_from(7)) == (0, 1, 8)
    lowered.take_at_least(8, 1)
    assert lowered.room(8) == 1
    lowered.take_at_least(8, 9)
    assert (lowered.room(8), lowered.free_from(7)) == (0, 9)
    begun_early = Window(DAY, 1, early=8 * 3_600)
    assert begun_early.start_of(begun_early.slot_of(MIDNIGHT)) == MIDNIGHT


def test_the_review_warns_before_it_is_sent(made: Callable[..., Campaign], application: Application) -> None:
    with time_machine.travel(NIGHT, tick=True):
        marketer = member_client(application.tenant, Role.MARKETER)
        html = marketer.get(f"/campaigns/{made().public_id}/").content.decode()
    assert "The quota of Xiaomi phones is 4 a day, and 4 are left on the day this starts." in html
    assert "It leaves over 2 days." in html
    calm = marketer.get(f"/campaigns/{made({**WORDS, 'purpose': 'service'}).public_id}/").content.decode()
    assert 'id="provider-day"' not in calm
