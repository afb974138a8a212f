"""Units promised to work under way: all of them come back, each once, whoever dies, stalls, repeats or sweeps."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.billing.errors import QuotaExceeded
from apps.billing.models import Quota, Reservation
from apps.billing.services import current_period, record_usage, release, reserve, set_plan
from apps.billing.services.reservations import LEASE, sweep_reservations
from apps.core import clock
from apps.messaging.models import Message
from apps.messaging.sending.pipeline import send_due_chunks
from apps.messaging.services import cancel_message, pause_message, resume_message
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope
from tests.billing.conftest import RecordMaker
from tests.messaging.test_device_routes import Phones, devices, phones, sent
from tests.messaging.test_sending import Killed, accept, die, expire_leases
from tests.sending import Recorder, network, people

__all__ = ["accept", "devices", "network", "people", "phones", "sent"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker")]
SENDS, PUSHES = "campaign.sends", "push.accepted"


def promised(tenant: Tenant, meter: str = SENDS) -> int:
    """What all periods' quotas say is reserved, after proving that the open reservations say the same."""
    with tenant_scope(tenant):
        said = Quota.objects.of(tenant).filter(meter=meter).aggregate(units=Sum("reserved"))["units"] or 0
        held = Reservation.objects.of(tenant).filter(quota__meter=meter).aggregate(units=Sum("quantity"))["units"] or 0
    assert said == held
    return said


def used(tenant: Tenant, meter: str = SENDS) -> int:
    with tenant_scope(tenant):
        return Quota.objects.of(tenant).get(period=current_period(tenant=tenant), meter=meter).used


def kill_in_flight(network: Recorder) -> None:
    die(network)
    with pytest.raises(Killed):
        send_due_chunks(seconds=30)


def test_a_holder_gives_back_once_however_often_it_says_so(tenant: Tenant) -> None:
    with tenant_scope(tenant):
        reserve(tenant=tenant, holder="a", wanted={SENDS: 7, PUSHES: 9})
        reserve(tenant=tenant, holder="b", wanted={SENDS: 2})
    assert (promised(tenant), promised(tenant, PUSHES)) == (9, 9)
    with tenant_scope(tenant):
        release(tenant=tenant, holder="a")
        release(tenant=tenant, holder="a")
    assert (promised(tenant), promised(tenant, PUSHES)) == (2, 0)


def test_what_one_meter_refuses_no_meter_takes(tenant: Tenant) -> None:
    with tenant_scope(tenant):
        set_plan(tenant=tenant, limits={PUSHES: 3})
        with pytest.raises(QuotaExceeded):
            reserve(tenant=tenant, holder="a", wanted={SENDS: 1, PUSHES: 4})
    assert (promised(tenant), promised(tenant, PUSHES)) == (0, 0)


def test_the_sweep_takes_what_has_expired_and_nothing_else(tenant: Tenant, other_tenant: Tenant) -> None:
    with tenant_scope(tenant):
        reserve(tenant=tenant, holder="old", wanted={SENDS: 5})
    with tenant_scope(other_tenant):
        reserve(tenant=other_tenant, holder="old", wanted={SENDS: 6})
    with time_machine.travel(clock.now() + LEASE + timedelta(seconds=1), tick=False):
        with tenant_scope(tenant):
            reserve(tenant=tenant, holder="new", wanted={SENDS: 3})
        assert sweep_reservations() == 2
        assert sweep_reservations() == 0
    assert (promised(tenant), promised(other_tenant)) == (3, 0)
    with tenant_scope(tenant):
        release(tenant=tenant, holder="old")
    assert promised(tenant) == 3


def test_sends_of_a_worker_that_died_come_back_with_the_next_holder_of_its_chunk(
    accept: Callable[..., Message], network: Recorder, tenant: Tenant
) -> None:
    accept()
    kill_in_flight(network)
    assert (promised(tenant), used(tenant)) == (3, 0)
    expire_leases()
    send_due_chunks(seconds=30)
    assert (promised(tenant), used(tenant)) == (0, 3)


@pytest.mark.parametrize("ends", ["paused", "cancelled"])
def test_sends_of_a_message_that_died_and_was_stopped_come_back(
    accept: Callable[..., Message], network: Recorder, tenant: Tenant, ends: str
) -> None:
    message = accept()
    kill_in_flight(network)
    stop = pause_message if ends == "paused" else cancel_message
    with tenant_scope(tenant):
        stop(tenant=tenant, message=message)
    expire_leases()
    send_due_chunks(seconds=30)  # nobody claims a chunk of a paused message
    assert promised(tenant) == (3 if ends == "paused" else 0)
    with time_machine.travel(clock.now() + LEASE + timedelta(seconds=1), tick=False):
        sweep_reservations()
    assert promised(tenant) == 0
    if ends == "paused":
        with tenant_scope(tenant):
            resume_message(tenant=tenant, message=message)
        send_due_chunks(seconds=30)
        assert (promised(tenant), used(tenant)) == (0, 3)


def test_a_worker_that_comes_back_after_the_sweep_counts_what_it_sent_and_gives_nothing_back_twice(
    accept: Callable[..., Message], network: Recorder, tenant: Tenant
) -> None:
    accept()

    def stall() -> None:
        with time_machine.travel(clock.now() + LEASE + timedelta(seconds=1), tick=False):
            sweep_reservations()
        with tenant_scope(tenant):
            reserve(tenant=tenant, holder="somebody else", wanted={SENDS: 4})

    network.before = stall
    send_due_chunks(seconds=30)
    assert (promised(tenant), used(tenant)) == (4, 3)


def test_sends_under_way_when_the_plan_changes_are_promised_by_the_new_one(tenant: Tenant, record: RecordMaker) -> None:
    with tenant_scope(tenant):
        current_period(tenant=tenant)
        reserve(tenant=tenant, holder="a", wanted={SENDS: 7})
        set_plan(tenant=tenant, code="pay-as-you-go", limits={SENDS: 10})
        assert Quota.objects.of(tenant).get(period=current_period(tenant=tenant), meter=SENDS).reserved == 7
        with pytest.raises(QuotaExceeded):
            reserve(tenant=tenant, holder="b", wanted={SENDS: 4})
        release(tenant=tenant, holder="a")
        record_usage([record("done", 7, meter=SENDS)], tenant=tenant)
    assert (promised(tenant), used(tenant)) == (0, 7)


def test_pushes_beyond_a_limit_are_not_handed_to_the_network(
    phones: type[Phones], sent: Callable[..., list[tuple[str, str]]], tenant: Tenant
) -> None:
    with tenant_scope(tenant):
        set_plan(tenant=tenant, limits={PUSHES: 2})  # the first person alone has two devices
    states = sent()
    # The third person has no device and takes nothing of what is left.
    assert states == [("accepted", ""), ("suppressed", "spend_cap"), ("rejected", "no_device")]
    assert (len(phones.pushes), used(tenant, PUSHES), promised(tenant, PUSHES)) == (2, 2, 0)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["reserve", "release", "sweep"]), st.integers(1, 9))))
def test_in_any_order_what_is_promised_is_what_was_taken_and_not_given_back(
    tenant: Tenant, steps: list[tuple[str, str, int]]
) -> None:
    with tenant_scope(tenant):
        for holder in "abc":
            release(tenant=tenant, holder=holder)
    held = dict.fromkeys("abc", 0)
    for holder, step, quantity in steps:
        if step == "sweep":
            sweep_reservations()  # nothing has expired
            continue
        with tenant_scope(tenant):
            if step == "reserve":
                reserve(tenant=tenant, holder=holder, wanted={SENDS: quantity})
                held[holder] += quantity
            else:
                release(tenant=tenant, holder=holder)
                held[holder] = 0
        assert promised(tenant) == sum(held.values())


@pytest.mark.django_db(transaction=True)
def test_takers_givers_and_sweepers_at_once_leave_nothing_and_never_wait_in_a_circle(tenant: Tenant) -> None:
    with tenant_scope(tenant):
        current_period(tenant=tenant)
    together, failed = threading.Barrier(6), []

    def work(number: int) -> None:
        try:
            together.wait()
            for _round in range(5):
                with tenant_scope(tenant):
                    reserve(tenant=tenant, holder=f"h{number % 3}", wanted={SENDS: 1, PUSHES: 2})
                with tenant_scope(tenant):
                    release(tenant=tenant, holder=f"h{number % 3}")
                with time_machine.travel(clock.now(), tick=False):
                    sweep_reservations()
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert (promised(tenant), promised(tenant, PUSHES)) == (0, 0)
