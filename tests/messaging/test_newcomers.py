"""Limits of different people and devices: whoever was reached in the period stays reachable, who is new is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from apps.billing.models import Quota
from apps.billing.services import current_period
from apps.billing.services.application_limits import set_application_limits
from apps.billing.services.limits import OwnLimit, set_limits
from apps.messaging.ledger.activity import count_reached
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope
from tests.messaging.test_device_routes import Phones, devices, phones, sent
from tests.messaging.test_metering import used

__all__ = ["devices", "phones", "sent"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker", "clean_valkey")]
Sent = Callable[..., list[tuple[str, str]]]
PEOPLE, DEVICES = "subscribers.active", "devices.active"


def limit(tenant: Tenant, **hard: int) -> None:
    limits = {meter.replace("_", "."): OwnLimit(hard=units) for meter, units in hard.items()}
    with tenant_scope(tenant):
        set_limits(tenant=tenant, actor="system", limits=limits, spend_cap=None)


def reserved(tenant: Tenant) -> int:
    with tenant_scope(tenant):
        quotas = Quota.objects.of(tenant).filter(period=current_period(tenant=tenant))
        return sum(quotas.values_list("reserved", flat=True))


def test_a_limit_of_people_refuses_the_new_ones_and_reaches_the_known_ones_again(
    phones: type[Phones], sent: Sent, tenant: Tenant, people: list[str]
) -> None:
    limit(tenant, subscribers_active=1)
    assert sent(external_ids=[people[1]]) == [("accepted", "")]
    assert used(tenant, PEOPLE) == 1  # counted with the outcome: nobody has the place twice
    assert sorted(sent(external_ids=people[:2])) == [("accepted", ""), ("suppressed", "spend_cap")]
    assert (count_reached(), used(tenant, PEOPLE), reserved(tenant)) == (2, 1, 0)


def test_a_limit_of_devices_refuses_people_whose_devices_are_too_many(
    phones: type[Phones], sent: Sent, tenant: Tenant, people: list[str]
) -> None:
    limit(tenant, devices_active=1)
    assert sorted(sent(external_ids=people[:2])) == [("accepted", ""), ("suppressed", "spend_cap")]
    count_reached()
    assert (used(tenant, DEVICES), reserved(tenant)) == (1, 0)


def test_an_applications_limit_of_people_is_its_own(
    phones: type[Phones], sent: Sent, application: Application, people: list[str]
) -> None:
    tenant = application.tenant
    with tenant_scope(tenant):
        limits = {PEOPLE: OwnLimit(hard=1)}
        set_application_limits(tenant=tenant, application=application, actor="system", limits=limits)
    assert sorted(sent(external_ids=people[:2])) == [("accepted", ""), ("suppressed", "spend_cap")]
    assert used(tenant, PEOPLE) == 1
