"""Month end with many workers that die at any point: every tenant billed once, numbers without gaps."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from unittest.mock import patch

import pytest
import time_machine
from django.db import DatabaseError, InterfaceError, connection

from apps.accounts.models import User
from apps.billing.models import Invoice, InvoiceCounter, LedgerTransaction
from apps.billing.services import invoicing, month_end
from apps.billing.services.credits import profile_of
from apps.billing.services.month_end import finalise_due, is_counting_behind, open_due_drafts
from apps.billing.services.numbering import number_invoice
from apps.core import clock, valkey
from apps.realtime import keys
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope
from apps.tenants.services import open_tenant
from tests.billing.invoices import JUNE, plan, subscribe

pytestmark = pytest.mark.django_db(transaction=True)


class Killed(BaseException):
    """The worker died here."""


@pytest.fixture
def tenants(owner: User, as_worker: None) -> list[Tenant]:
    plan()
    made = [open_tenant(name=f"Tenant {number}", owner=owner) for number in range(8)]
    for tenant in made:
        subscribe(tenant)
    return made


def invoices(tenants: list[Tenant]) -> list[Invoice]:
    found = []
    for tenant in tenants:
        with tenant_scope(tenant):
            found += list(Invoice.objects.of(tenant))
    return found


def assert_each_is_billed_once(tenants: list[Tenant]) -> None:
    made = invoices(tenants)
    assert [invoice.total for invoice in made] == [3_000] * len(tenants)
    assert sorted(invoice.number or 0 for invoice in made) == list(range(1, len(tenants) + 1))
    assert InvoiceCounter.objects.get(series="INV-2026").last_number == len(tenants)
    for tenant in tenants:
        with tenant_scope(tenant):
            assert LedgerTransaction.objects.of(tenant).filter(operation="invoice").count() == 1


def test_workers_that_die_after_taking_a_number_leave_no_gap(tenants: list[Tenant]) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance, guard = random.Random(seed), threading.Lock()

    def take_and_maybe_die(invoice: Invoice, **given: object) -> None:
        number_invoice(invoice, **given)  # type: ignore[arg-type]
        with guard:
            fate = chance.random()
        if fate < 0.25:
            raise Killed
        if fate < 0.5:  # the server loses the session, as after kill -9 of the worker
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    def work() -> None:
        try:
            for _round in range(60):
                try:
                    if not finalise_due():
                        return
                except (Killed, DatabaseError, InterfaceError):
                    connection.close()
        finally:
            connection.close()

    with time_machine.travel(JUNE + timedelta(hours=1), tick=False):
        open_due_drafts()
        with patch.object(invoicing, "number_invoice", take_and_maybe_die):
            threads = [threading.Thread(target=work) for _number in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert_each_is_billed_once(tenants)


def dying_after(calls: int, verb: Callable[..., object]) -> Callable[..., object]:
    """The verb, whose worker dies instead of the call after so many."""
    left = [calls]

    def maybe(**given: object) -> object:
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        return verb(**given)

    return maybe


@pytest.mark.parametrize("verb", ["write_draft", "finalise_held"])
def test_a_month_end_that_dies_at_any_commit_is_finished_by_the_next(tenants: list[Tenant], verb: str) -> None:
    with time_machine.travel(JUNE + timedelta(hours=1), tick=False):
        for done in range(3):
            with patch.object(month_end, verb, dying_after(done, getattr(month_end, verb))), suppress(Killed):
                open_due_drafts()
                finalise_due()
        for _again in range(2):
            open_due_drafts()
            finalise_due()
    assert_each_is_billed_once(tenants)


def test_usage_that_waits_to_be_counted_holds_invoices_back(clean_valkey: None, region: str) -> None:
    assert not is_counting_behind()
    valkey.connect(region).xadd(keys.USAGE, {"r": "{}"})
    assert not is_counting_behind()
    with time_machine.travel(clock.now() + timedelta(minutes=2), tick=False):
        assert is_counting_behind()


def test_a_tenant_whose_invoice_fails_is_parked_and_the_others_are_billed(tenants: list[Tenant]) -> None:
    real = invoicing.finalise_held

    def fail_for_the_first(*, tenant: Tenant, invoice: Invoice) -> Invoice:
        if tenant == tenants[0]:
            raise ZeroDivisionError
        return real(tenant=tenant, invoice=invoice)

    with time_machine.travel(JUNE + timedelta(hours=1), tick=False):
        open_due_drafts()
        with patch.object(month_end, "finalise_held", fail_for_the_first):
            assert (finalise_due(), finalise_due()) == (8, 0)
    assert [invoice.status for invoice in invoices(tenants)] == ["draft"] + ["finalised"] * 7
    with tenant_scope(tenants[0]):
        assert profile_of(tenant=tenants[0]).parked_reason == "ZeroDivisionError while finalising"
