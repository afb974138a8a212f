"""The identity that must hold at every commit, and the operator's plans."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from apps.billing.models import UsageRollup
from apps.billing.services import record_usage, subscription_of
from apps.billing.services.checking import backlog, tellings_of, unmatched_count
from apps.tenants.models import AuditEntry, Tenant
from apps.tenants.scope import tenant_scope
from tests.billing.conftest import RecordMaker

pytestmark = pytest.mark.django_db


def test_records_sums_and_quotas_tell_the_same(tenant: Tenant, record: RecordMaker) -> None:
    with tenant_scope(tenant):
        for _repeat in range(2):
            record_usage([record("a", 3), record("b", 4), record("p", 9, meter="connections.peak")], tenant=tenant)
        tellings = {telling.meter: telling for telling in tellings_of(tenant=tenant)}
        assert all(telling.agrees for telling in tellings.values())
        assert tellings["messages.published"].recorded == 7
        assert tellings["connections.peak"].counted == 9


def test_a_sum_that_was_tampered_with_is_noticed(tenant: Tenant, record: RecordMaker) -> None:
    with tenant_scope(tenant):
        record_usage([record("a", 3)], tenant=tenant)
        UsageRollup.objects.of(tenant).update(total=2)
        wrong = [telling.meter for telling in tellings_of(tenant=tenant) if not telling.agrees]
    assert wrong == ["messages.published"]


def test_nothing_waits_and_nothing_is_unmatched_at_rest(clean_valkey: None, region: str, tenant: Tenant) -> None:
    assert (backlog(region=region), unmatched_count()) == (0, 0)


def test_an_operator_sets_plan_and_limits_and_it_is_in_the_audit(tenant: Tenant) -> None:
    limits = ["--limit", "campaign.sends=500", "--limit", "connections.peak=none"]
    call_command("set_plan", "--tenant", tenant.public_id, "--plan", "pay-as-you-go", *limits, verbosity=0)
    with tenant_scope(tenant):
        subscription = subscription_of(tenant=tenant)
        assert subscription.plan_version.plan.code == "pay-as-you-go"
        assert subscription.limits_json == {"campaign.sends": 500, "connections.peak": None}
        assert AuditEntry.objects.of(tenant).filter(action="plan.set").count() == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--plan", "gold"],
        ["--limit", "campaign.sends"],
        ["--limit", "campaign.sends=-1"],
        ["--limit", "messages.dreamt=1"],
        ["--tenant", "ten_nobody"],
    ],
)
def test_an_operators_mistake_changes_nothing(tenant: Tenant, arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("set_plan", "--tenant", tenant.public_id, *arguments)
    with tenant_scope(tenant):
        assert subscription_of(tenant=tenant).plan_version.plan.code == "free"
