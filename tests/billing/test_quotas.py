"""Limits at the door, periods that roll over, and the plan a tenant has."""

from __future__ import annotations

import itertools
import threading
from datetime import UTC, datetime

import pytest
import time_machine
from django.db import DatabaseError, IntegrityError, connection, transaction

from apps.billing.errors import BadLimit, QuotaExceeded, UnknownPlan
from apps.billing.models import BillingPeriod, PlanVersion, Quota
from apps.billing.services import (
    current_period,
    record_usage,
    release,
    require_allowance,
    reserve,
    set_plan,
    subscription_of,
)
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope
from tests.billing.conftest import RecordMaker

pytestmark = pytest.mark.django_db
SENDS = "campaign.sends"


def quota(tenant: Tenant, meter: str = SENDS) -> tuple[int, int]:
    with tenant_scope(tenant):
        found = Quota.objects.of(tenant).get(period=current_period(tenant=tenant), meter=meter)
        return found.used, found.reserved


@pytest.fixture
def limited(tenant: Tenant) -> Tenant:
    """A tenant that may send 10 and publish 5 in a period."""
    with tenant_scope(tenant):
        set_plan(tenant=tenant, limits={SENDS: 10, "messages.published": 5, "connections.peak": 3})
    return tenant


def test_a_new_tenant_has_the_free_plan_by_the_calendar_month(tenant: Tenant) -> None:
    with time_machine.travel(datetime(2026, 5, 20, tzinfo=UTC), tick=False), tenant_scope(tenant):
        period = current_period(tenant=tenant)
        assert subscription_of(tenant=tenant).plan_version.plan.code == "free"
        assert (period.starts_at, period.ends_at) == (
            datetime(2026, 5, 1, tzinfo=UTC),
            datetime(2026, 6, 1, tzinfo=UTC),
        )


def test_a_reservation_takes_all_or_nothing(limited: Tenant) -> None:
    with tenant_scope(limited):
        reserve(tenant=limited, holder="chunk:1", wanted={SENDS: 7})
        with pytest.raises(QuotaExceeded) as refused:
            reserve(tenant=limited, holder="chunk:1", wanted={SENDS: 4})
        assert refused.value.details["limit"] == 10
        assert refused.value.details["used"] == 7
        assert refused.value.details["meter"] == SENDS
        reserve(tenant=limited, holder="chunk:1", wanted={SENDS: 3})
    assert quota(limited) == (0, 10)


def test_recorded_and_released_sends_leave_just_what_was_accepted(limited: Tenant, record: RecordMaker) -> None:
    with tenant_scope(limited):
        reserve(tenant=limited, holder="chunk:1", wanted={SENDS: 7})
        record_usage([record("cmp:1", 5, meter=SENDS)], tenant=limited)
        release(tenant=limited, holder="chunk:1")
    assert quota(limited) == (5, 0)


def test_a_repeated_record_does_not_use_the_quota_twice(limited: Tenant, record: RecordMaker) -> None:
    with tenant_scope(limited):
        for _repeat in range(3):
            record_usage([record("cmp:1", 4, meter=SENDS)], tenant=limited)
    assert quota(limited) == (4, 0)


def test_a_level_keeps_its_largest_value(limited: Tenant, record: RecordMaker) -> None:
    with tenant_scope(limited):
        for number, level in enumerate([2, 9, 4]):
            record_usage([record(f"peak:{number}", level, meter="connections.peak")], tenant=limited)
    assert quota(limited, "connections.peak") == (9, 0)


def test_require_allowance_refuses_what_would_pass_the_limit(limited: Tenant, record: RecordMaker) -> None:
    with tenant_scope(limited):
        record_usage([record(quantity=4)], tenant=limited)
        require_allowance(tenant=limited, meter="messages.published", quantity=1)
        with pytest.raises(QuotaExceeded):
            require_allowance(tenant=limited, meter="messages.published", quantity=2)
        require_allowance(tenant=limited, meter="connections.peak", quantity=3)
        with pytest.raises(QuotaExceeded):
            require_allowance(tenant=limited, meter="connections.peak", quantity=4)
        require_allowance(tenant=limited, meter="messages.delivered", quantity=1_000)


def test_a_new_period_starts_from_zero_and_an_event_on_the_boundary_belongs_to_it(
    limited: Tenant, record: RecordMaker
) -> None:
    with time_machine.travel(datetime(2026, 5, 20, tzinfo=UTC), tick=False), tenant_scope(limited):
        record_usage([record("a", 10, meter=SENDS)], tenant=limited)
        with pytest.raises(QuotaExceeded) as refused:
            reserve(tenant=limited, holder="chunk:1", wanted={SENDS: 1})
        assert refused.value.details["resets_at"] == "2026-06-01T00:00:00+00:00"
    with time_machine.travel(datetime(2026, 6, 1, tzinfo=UTC), tick=False):
        with tenant_scope(limited):
            reserve(tenant=limited, holder="chunk:1", wanted={SENDS: 10})
            boundary = record("b", 1, meter=SENDS)
            before = record("c", 2, meter=SENDS, occurred_at=datetime(2026, 5, 31, 23, 59, 59, tzinfo=UTC))
            record_usage([boundary, before], tenant=limited)
        assert quota(limited) == (1, 10)
    with tenant_scope(limited):
        used = [row.used for row in Quota.objects.of(limited).filter(meter=SENDS).order_by("period__starts_at")]
        assert used[:2] == [12, 1]


def test_periods_left_out_by_a_quiet_tenant_are_opened_without_a_gap(tenant: Tenant) -> None:
    with tenant_scope(tenant):
        for day in (datetime(2026, 1, 10, tzinfo=UTC), datetime(2026, 4, 2, tzinfo=UTC)):
            with time_machine.travel(day, tick=False):
                current_period(tenant=tenant)
        periods = list(BillingPeriod.objects.of(tenant).order_by("starts_at"))
    assert [period.starts_at.month for period in periods] == [1, 2, 3, 4]
    assert all(one.ends_at == two.starts_at for one, two in itertools.pairwise(periods))


def test_two_periods_of_a_tenant_cannot_overlap_and_a_neighbour_is_not_in_the_way(
    tenant: Tenant, other_tenant: Tenant
) -> None:
    with tenant_scope(other_tenant):
        current_period(tenant=other_tenant)
    with tenant_scope(tenant):
        period = current_period(tenant=tenant)
        with pytest.raises(IntegrityError, match="periods_of_a_tenant_do_not_overlap"), transaction.atomic():
            BillingPeriod.objects.create(
                tenant=tenant,
                plan_version=period.plan_version,
                starts_at=period.starts_at,
                ends_at=period.ends_at,
            )


def test_a_lowered_limit_blocks_at_once_and_a_raised_one_lets_through(limited: Tenant) -> None:
    with tenant_scope(limited):
        reserve(tenant=limited, holder="chunk:1", wanted={SENDS: 8})
        set_plan(tenant=limited, limits={SENDS: 4})
        with pytest.raises(QuotaExceeded):
            reserve(tenant=limited, holder="chunk:1", wanted={SENDS: 1})
        set_plan(tenant=limited, code="pay-as-you-go", limits={SENDS: None})
        reserve(tenant=limited, holder="chunk:1", wanted={SENDS: 1_000_000})


def test_a_plan_or_a_limit_that_does_not_exist_is_refused(tenant: Tenant) -> None:
    with tenant_scope(tenant):
        with pytest.raises(UnknownPlan):
            set_plan(tenant=tenant, code="gold")
        with pytest.raises(BadLimit):
            set_plan(tenant=tenant, limits={"messages.dreamt": 1})
        with pytest.raises(BadLimit):
            set_plan(tenant=tenant, limits={SENDS: -1})
        assert subscription_of(tenant=tenant).limits_json == {}


@pytest.mark.parametrize("verb", ["UPDATE billing_planversion SET number = 9", "DELETE FROM billing_planversion"])
def test_the_terms_of_a_plan_version_are_frozen(tenant: Tenant, verb: str) -> None:
    with tenant_scope(tenant):
        current_period(tenant=tenant)
    assert PlanVersion.objects.count() == 1
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(verb)


@pytest.mark.django_db(transaction=True)
def test_fifty_reservers_at_once_never_pass_the_cap(tenant: Tenant) -> None:
    with tenant_scope(tenant):
        set_plan(tenant=tenant, limits={SENDS: 100})
    granted: list[int] = []
    together = threading.Barrier(50)

    def take() -> None:
        try:
            together.wait()
            for _attempt in range(3):
                try:
                    with tenant_scope(tenant):
                        reserve(tenant=tenant, holder="chunk:1", wanted={SENDS: 3})
                    granted.append(3)
                except QuotaExceeded:
                    return
        finally:
            connection.close()

    threads = [threading.Thread(target=take) for _number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 99
    assert quota(tenant) == (0, 99)


@pytest.mark.django_db(transaction=True)
def test_two_that_need_the_first_period_at_once_open_one(tenant: Tenant) -> None:
    together = threading.Barrier(6)
    opened: list[int] = []

    def open_one() -> None:
        try:
            together.wait()
            with tenant_scope(tenant):
                opened.append(current_period(tenant=tenant).pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=open_one) for _number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 6
    assert len(set(opened)) == 1
