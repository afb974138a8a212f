"""Delivered = billed, as a gauge, an alert and the operator's command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from redis import Redis

from apps.billing.models import UsageRollup
from apps.billing.services import record_usage
from apps.billing.services.ingest import ingest
from apps.billing.services.reconciling import plane_differences
from apps.core import valkey
from apps.messaging.sending.pipeline import send_due_chunks
from apps.messaging.services import accept_message
from apps.operations import metrics
from apps.operations.gauges import delivered_minus_billed
from apps.realtime import keys
from apps.realtime.counters import Counters
from apps.realtime.usage import UsageLog
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope
from tests.billing.conftest import RecordMaker, record  # noqa: F401  # a fixture
from tests.sending import Recorder, network, people  # noqa: F401  # fixtures

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clean_valkey", "as_worker")]

CONTENT = {"en": {"title": "Hi", "body": "there"}}


class SyncLines:
    """The gateway's connection to Valkey, without a loop."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def call(self, *command: Any) -> Any:
        return self._client.execute_command(*command)


@pytest.fixture
def client_of_valkey(region: str) -> Redis:
    return valkey.connect(region)


@pytest.fixture
def counted(client_of_valkey: Redis, application: Application) -> Callable[..., None]:
    """A gateway that counts: `counted(published=2, delivered=5)`."""
    log = UsageLog(SyncLines(client_of_valkey), "aa")  # type: ignore[arg-type]

    def count(*, published: int, delivered: int) -> None:
        counters = Counters(published=published, delivered=delivered)
        log.note(application.tenant_id, application.application_id, counters)
        coroutine = log.flush()
        with pytest.raises(StopIteration):
            coroutine.send(None)

    return count


@pytest.fixture
def sent(application: Application, people: list[str], network: Recorder) -> Tenant:  # noqa: F811
    """A tenant with three accepted deliveries."""
    with tenant_scope(application.tenant):
        accept_message(
            tenant=application.tenant, application=application, content=CONTENT, routes=["realtime"],
            external_ids=people,
        )  # fmt: skip
    assert send_due_chunks(seconds=30) is False
    return application.tenant


def take_away(tenant: Tenant, column: str) -> None:
    """What a bug could do: counts of the ledger that nothing was billed for."""
    with tenant_scope(tenant), connection.cursor() as cursor:
        cursor.execute(f"UPDATE messaging_chunk SET {column} = {column} + 1")


def test_what_was_delivered_is_what_is_billed(
    sent: Tenant, counted: Callable[..., None], region: str, client: Client
) -> None:
    counted(published=2, delivered=5)
    counted(published=1, delivered=0)
    ingest(region=region)
    assert delivered_minus_billed() == 0
    call_command("check_billing", verbosity=0)
    metrics.measure()
    assert "pushsaas_billing_delivered_minus_billed 0.0" in client.get("/metrics").content.decode()


def test_an_accepted_delivery_without_usage_is_seen(sent: Tenant) -> None:
    take_away(sent, "accepted")
    assert delivered_minus_billed() == 1


def test_a_ledger_row_without_usage_is_named_by_the_command(sent: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    with tenant_scope(sent), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE messaging_delivery SET state = 'unknown' WHERE id = (SELECT min(id) FROM messaging_delivery)"
        )
    with pytest.raises(CommandError, match="does not add up"):
        call_command("check_billing")
    assert "accepted 2, billed 3" in capsys.readouterr().out


def test_what_is_on_its_way_is_no_difference_and_what_was_lost_is(
    counted: Callable[..., None], region: str, client_of_valkey: Redis, application: Application
) -> None:
    counted(published=4, delivered=6)
    assert plane_differences(region=region) == {}
    ingest(region=region)
    assert plane_differences(region=region) == {}
    counted(published=1, delivered=1)
    [(line, fields)] = client_of_valkey.xrange(keys.USAGE)  # type: ignore[misc]
    client_of_valkey.xdel(keys.USAGE, line)
    client_of_valkey.xadd(keys.USAGE, {"r": fields[b"r"].replace(b'"delivered":1', b'"delivered":0')})
    ingest(region=region)
    assert plane_differences(region=region) == {application.tenant_id: 1}


def test_the_check_command_fails_when_one_tenant_does_not_add_up(
    tenant: Tenant,
    other_tenant: Tenant,
    record: RecordMaker,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    for each in (tenant, other_tenant):
        with tenant_scope(each):
            record_usage([record("a", 3)], tenant=each)
    call_command("check_billing")
    assert capsys.readouterr().out == "2 tenants, 0 differences, 0 unmatched records\n"
    with tenant_scope(tenant):
        UsageRollup.objects.of(tenant).update(total=2)
    with pytest.raises(CommandError, match="does not add up"):
        call_command("check_billing")
    assert f"{tenant.public_id} messages.published: recorded 3, summed 2, counted 3" in capsys.readouterr().out


def test_there_is_an_alert_on_every_figure_of_billing() -> None:
    groups = yaml.safe_load((settings.BASE_DIR / "deploy" / "alerts.yml").read_text())["groups"]
    watched = " ".join(rule["expr"] for group in groups for rule in group["rules"])
    for name in ("billing_delivered_minus_billed", "usage_unmatched", "usage_backlog"):
        assert f"pushsaas_{name}" in watched
