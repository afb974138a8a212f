"""The overview: figures of this tenant only, steps that tick themselves."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.test import Client

from apps.audience.models import Subscriber
from apps.core import valkey
from apps.dashboard.overview.figures import figures_of, live_of
from apps.realtime import keys
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clean_valkey")]


def ticks(tenant: Tenant, application: Application | None) -> list[bool]:
    with tenant_scope(tenant):
        return [step.is_done for step in figures_of(tenant=tenant, application=application).steps]


def test_a_new_tenant_starts_with_nothing_ticked(tenant: Tenant) -> None:
    assert ticks(tenant, None) == [False] * 5


def test_a_step_ticks_itself_and_not_the_neighbours(
    tenant: Tenant, application: Application, other_tenant: Tenant, other_application: Application
) -> None:
    with tenant_scope(tenant):
        Subscriber.objects.create(tenant=tenant, application=application, external_id="alice")
    assert ticks(tenant, application) == [True, False, False, True, False]
    assert ticks(other_tenant, other_application) == [True, False, False, False, False]


def test_live_counts_are_of_the_chosen_application(
    tenant: Tenant, application: Application, other_tenant: Tenant, other_application: Application
) -> None:
    doorbell = valkey.connect(settings.HOME_REGION)
    doorbell.hset(keys.connections(tenant.pk, application.application_id), "*", 7)
    live = live_of(tenant=tenant, application=application)
    other = live_of(tenant=other_tenant, application=other_application)
    assert (live and live.connections, other and other.connections) == (7, 0)


def test_the_page_and_its_fragment_show_the_figures(developer: Client, application: Application) -> None:
    whole = developer.get("/overview/").content.decode()
    fragment = developer.get("/overview/figures").content.decode()
    assert "<html" not in fragment
    assert whole.count("stat-value") == fragment.count("stat-value") == 4
