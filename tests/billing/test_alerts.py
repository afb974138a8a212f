"""Alerts at 50, 80 and 100 % of a limit: once each, by mail to those who answer for the tenant."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.db import connection

from apps.accounts.models import User
from apps.accounts.services.mail import deliver_due_mail
from apps.billing.models import Subscription, UsageAlert
from apps.billing.services import record_usage, set_plan
from apps.billing.services.alerts import raise_alerts
from apps.billing.services.application_limits import set_application_limits
from apps.billing.services.limits import OwnLimit, set_limits
from apps.billing.services.watching import _watch_cap, watch_caps_and_applications
from apps.core import clock
from apps.tenants.models import Application, Membership, Tenant
from apps.tenants.permissions import Role
from apps.tenants.scope import tenant_scope
from tests.billing.conftest import RecordMaker
from tests.billing.invoices import plan

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("as_worker")]


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.accounts.services.mail._ring", lambda: None)


def use(tenant: Tenant, record: RecordMaker, key: str, quantity: int) -> None:
    with tenant_scope(tenant):
        record_usage([record(key, quantity)], tenant=tenant)


def alerts(tenant: Tenant) -> list[int]:
    with tenant_scope(tenant):
        return [alert.threshold for alert in UsageAlert.objects.of(tenant).order_by("threshold")]


@pytest.fixture
def limited(tenant: Tenant) -> Tenant:
    with tenant_scope(tenant):
        set_plan(tenant=tenant, limits={"messages.published": 100})
    return tenant


def test_each_threshold_is_raised_once(limited: Tenant, record: RecordMaker) -> None:
    use(limited, record, "a", 49)
    raise_alerts()
    assert alerts(limited) == []
    use(limited, record, "b", 1)
    raise_alerts()
    raise_alerts()
    assert alerts(limited) == [50]
    use(limited, record, "c", 50)
    raise_alerts()
    assert alerts(limited) == [50, 80, 100]
    assert raise_alerts() == 0


def test_owners_and_administrators_get_one_letter_for_the_highest_threshold(
    limited: Tenant, other_tenant: Tenant, record: RecordMaker
) -> None:
    analyst = User.objects.create_user("analyst@acme.example")
    with tenant_scope(limited):
        Membership.objects.create(tenant=limited, user=analyst, role=Role.ANALYST)
    use(limited, record, "a", 85)
    raise_alerts()
    deliver_due_mail()
    (letter,) = mail.outbox
    assert letter.to == ["owner@acme.example"]
    assert letter.subject == "80 % of a limit of Acme is used"
    assert "Messages published: 85 of 100" in letter.body


@pytest.mark.usefixtures("catalogues")
def test_a_letter_is_in_the_language_of_its_reader(limited: Tenant, record: RecordMaker) -> None:
    User.objects.filter(email="owner@acme.example").update(language="zh-hans")
    use(limited, record, "a", 85)
    raise_alerts()
    deliver_due_mail()
    (letter,) = mail.outbox
    assert letter.subject == "Acme 的一项限额已使用 80%"
    assert "消息发布数：本计费周期已用 85 / 100。" in letter.body


@pytest.fixture
def capped(tenant: Tenant) -> Tenant:
    """Pays 0.01 EUR for each publication, up to 1.00 EUR in a period."""
    plan(fee="0")
    with tenant_scope(tenant):
        set_plan(tenant=tenant, code="pro")
        set_limits(tenant=tenant, actor="system", limits={}, spend_cap=100)
    return tenant


def watch_later(seconds: int) -> None:
    with time_machine.travel(clock.now() + timedelta(seconds=seconds), tick=False):
        watch_caps_and_applications()


def deliver_later() -> None:
    with time_machine.travel(clock.now() + timedelta(minutes=2), tick=False):
        deliver_due_mail()


def test_the_cap_in_money_is_warned_of_once_per_threshold_by_one_letter_each(
    capped: Tenant, record: RecordMaker
) -> None:
    for at, (quantity, said) in enumerate([(49, []), (2, [50]), (0, [50]), (49, [50, 80, 100])]):
        if quantity:
            use(capped, record, f"step:{at}", quantity)
        watch_later(at * 20)
        assert alerts(capped) == said
    deliver_later()
    assert [letter.subject for letter in mail.outbox] == [
        "50 % of the spend cap of Acme is used",
        "100 % of the spend cap of Acme is used",
    ]
    assert "costs €1.00 so far; the cap is €1.00" in mail.outbox[1].body


def test_the_cap_is_not_warned_of_again_after_a_change_of_plan_and_is_after_another_cap(
    capped: Tenant, record: RecordMaker
) -> None:
    use(capped, record, "a", 60)
    watch_later(0)
    with tenant_scope(capped):
        set_plan(tenant=capped, code="pay-as-you-go")
    watch_later(20)
    assert alerts(capped) == [50]
    with tenant_scope(capped):
        set_limits(tenant=capped, actor="system", limits={}, spend_cap=110)
    assert alerts(capped) == []
    watch_later(40)
    assert alerts(capped) == [50]
    deliver_later()
    assert len(mail.outbox) == 2


def test_two_workers_at_once_say_it_once(capped: Tenant, record: RecordMaker) -> None:
    use(capped, record, "a", 85)
    together = threading.Barrier(4)

    def work() -> None:
        try:
            together.wait()
            raise_alerts()
            watch_caps_and_applications()
            with tenant_scope(capped):
                number = Subscription.objects.of(capped).get().pk
                _watch_cap(capped, number)  # as if the claim had been lost
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert alerts(capped) == [50, 80]
    deliver_due_mail()
    assert len(mail.outbox) == 1


def test_an_application_is_warned_of_by_name(tenant: Tenant, application: Application, record: RecordMaker) -> None:
    with tenant_scope(tenant):
        set_application_limits(
            tenant=tenant, application=application, actor="system", limits={"messages.published": OwnLimit(soft=10)}
        )
        record_usage([record("other", 500)], tenant=tenant)
    watch_later(1)
    assert alerts(tenant) == []
    with tenant_scope(tenant):
        record_usage([record("own", 9, application_id=application.pk)], tenant=tenant)
    watch_later(20)
    watch_later(40)
    assert alerts(tenant) == [50, 80]
    deliver_later()
    (letter,) = mail.outbox
    assert f"{application.name}: Messages published: 9 of 10" in letter.body


def test_a_raised_limit_warns_anew(limited: Tenant, record: RecordMaker) -> None:
    use(limited, record, "a", 100)
    raise_alerts()
    with tenant_scope(limited):
        set_plan(tenant=limited, limits={"messages.published": 180})
    raise_alerts()
    assert alerts(limited) == [50]
