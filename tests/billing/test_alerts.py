"""Alerts at 50, 80 and 100 % of a limit: once each, by mail to those who answer for the tenant."""

from __future__ import annotations

import pytest
from django.core import mail

from apps.accounts.models import User
from apps.accounts.services.mail import deliver_due_mail
from apps.billing.models import UsageAlert
from apps.billing.services import record_usage, set_plan
from apps.billing.services.alerts import raise_alerts
from apps.tenants.models import Membership, Tenant
from apps.tenants.permissions import Role
from apps.tenants.scope import tenant_scope
from tests.billing.conftest import RecordMaker

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


def test_a_raised_limit_warns_anew(limited: Tenant, record: RecordMaker) -> None:
    use(limited, record, "a", 100)
    raise_alerts()
    with tenant_scope(limited):
        set_plan(tenant=limited, limits={"messages.published": 180})
    raise_alerts()
    assert alerts(limited) == [50]
