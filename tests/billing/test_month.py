"""A month with traffic through the real doors, and its bill worked out again from the rows by the oracle of fractions.

The clock jumps from day to day. A gateway serves sockets and signed publishes, campaigns go out over the REST API, an
application reports a meter of its own; the plan changes in the middle.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
import time_machine
from django.db import connection
from rest_framework.test import APIClient

from apps.billing.meters import Aggregation
from apps.billing.models import BillingPeriod, Coupon, Invoice, Plan, PlanVersion, TaxRate
from apps.billing.pricing import Charge, Model, Terms, Tier
from apps.billing.services import create_meter, set_plan
from apps.billing.services.bills import reckon_running
from apps.billing.services.credits import add_coupon, change_profile
from apps.billing.services.ingest import ingest
from apps.billing.services.month_end import finalise_due, open_due_drafts
from apps.billing.statement import DiscountKind, Item, Tax
from apps.messaging.models import Delivery
from apps.tenants.models import Application, Tenant
from apps.tenants.queries import ApplicationRecord
from apps.tenants.scope import tenant_scope
from tests.api.test_campaigns import draft, run
from tests.billing.invoices import JUNE, MAY, subscribe
from tests.billing.test_statement import oracle_items, oracle_total
from tests.realtime.wire import record, world
from tests.sending import network, people

__all__ = ["network", "people"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker", "clean_valkey", "network", "people")]

PUBLISHED, DELIVERED, SENDS, PEAK = "messages.published", "messages.delivered", "campaign.sends", "connections.peak"
VAT = Tax("vat", "VAT", Decimal("19"))
FIRST = Terms(
    "EUR",
    (
        Charge(PUBLISHED, Model.GRADUATED, tiers=(
            Tier(3, Decimal("0.125"), Decimal("0.5")), Tier(None, Decimal("0.0333333"))
        )),
        Charge(DELIVERED, unit_price=Decimal("0.0777"), included=5),
        Charge(SENDS, Model.PACKAGE, Decimal("1.99"), package_size=5),
        Charge(PEAK, unit_price=Decimal("0.49")),
    ),
    flat_fee=Decimal("29.90"),
)  # fmt: skip
SECOND = Terms(
    "EUR",
    (
        Charge(PUBLISHED, unit_price=Decimal("0.2")),
        Charge(DELIVERED, Model.VOLUME, tiers=(Tier(6, Decimal("0.1")), Tier(None, Decimal("0.05"), Decimal("3")))),
        Charge(SENDS, unit_price=Decimal("0.333")),
    ),
    flat_fee=Decimal("99"),
    maximum=Decimal("60"),
)  # fmt: skip


class Month:
    """The traffic of one tenant, and what its doors let through, counted by the one who sends it."""

    def __init__(self, application: Application, api: APIClient, region: str) -> None:
        self.tenant, self.api, self.region = application.tenant, api, region
        self.told: Counter[tuple[int, str]] = Counter()
        made = record(region, application.tenant_id)
        self.record = ApplicationRecord(
            made.tenant_id, application.pk, application.application_id, "Shop", True, region, made.settings,
            made.credentials,
        )  # fmt: skip

    def day(self, at: datetime, *, publishes: int, sockets: int, part: int) -> None:
        """part: which of the month's plans is in force."""
        with time_machine.travel(at, tick=True):
            asyncio.run(self._serve(publishes, sockets, part))
            ingest(region=self.region)
            one = draft(self.api)
            assert self.api.post(f"{one}/schedule", {"send_at": None}).status_code == 200
            run()
            event = {"id": str(at), "meter": "api.calls", "quantity": publishes}
            assert self.api.post("/api/v1/usage/events", {"events": [event]}).status_code == 200

    async def _serve(self, publishes: int, sockets: int, part: int) -> None:
        async with world(self.record) as it:
            clients = [await it.client(self.record) for _ in range(sockets)]
            for client in clients:
                await client.subscribed("news")
            for _ in range(publishes):
                await it.published(self.record, "news")
                self.told[part, PUBLISHED] += 1
            for client in clients:
                for _ in range(publishes):
                    await client.event()
                    self.told[part, DELIVERED] += 1
            engine = await it.plane.plane().engine(self.region)
            await engine.upkeep.flush_usage()
            for client in clients:
                await client.gone()

    def rows(self, period: BillingPeriod) -> dict[str, int]:
        """The raw records of a period, added up without a line of the product's."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT meter, sum(quantity), max(quantity) FROM usage_event WHERE tenant_id = %s "
                "AND occurred_at >= %s AND occurred_at < %s GROUP BY meter",
                [self.tenant.pk, period.starts_at, period.ends_at],
            )
            return {meter: int(most if meter == PEAK else added) for meter, added, most in cursor.fetchall()}


@pytest.fixture
def month(application: Application, api: APIClient, region: str) -> Iterator[Month]:
    tenant = application.tenant
    for code, terms in (("first", FIRST), ("second", SECOND)):
        plan = Plan.objects.create(code=code, name=code)
        PlanVersion.objects.create(plan=plan, number=1, terms_json=terms.to_json())
    TaxRate.objects.create(code="vat", name="VAT", percent=19)
    subscribe(tenant, "first", MAY)
    with time_machine.travel(MAY, tick=False), tenant_scope(tenant):
        change_profile(tenant=tenant, taxes={"": "vat"})
        add_coupon(tenant=tenant, name="Spring", kind=DiscountKind.PERCENT, value=Decimal("12.5"))
        add_coupon(tenant=tenant, name="Off", kind=DiscountKind.FIXED, value=Decimal("1.111"), currency="EUR")
        create_meter(tenant=tenant, name="api.calls", aggregation=Aggregation.SUM, title="Calls", unit="call")
    made = Month(application, api, region)
    made.day(MAY + timedelta(minutes=1), publishes=2, sockets=2, part=0)
    made.day(datetime(2026, 5, 9, 13, tzinfo=UTC), publishes=5, sockets=3, part=0)
    with time_machine.travel(datetime(2026, 5, 16, 7, 30, tzinfo=UTC), tick=False), tenant_scope(tenant):
        set_plan(tenant=tenant, code="second")
    made.day(datetime(2026, 5, 20, 23, tzinfo=UTC), publishes=3, sockets=2, part=1)
    made.day(JUNE - timedelta(minutes=2), publishes=4, sockets=1, part=1)
    return made


def invoice_of(tenant: Tenant, at: datetime, starts_at: datetime) -> Invoice:
    with time_machine.travel(at, tick=False):
        open_due_drafts()
        finalise_due()
    with tenant_scope(tenant):
        return Invoice.objects.of(tenant).get(starts_at=starts_at)


def oracle(month: Month, periods: list[BillingPeriod], more: list[Fraction] | None = None) -> int:
    """What the rows cost, in cents. more: amounts of other lines of the invoice."""
    amounts = list(more or [])
    for period, terms in zip(periods, (FIRST, SECOND), strict=False):
        amounts += oracle_items(terms, month.rows(period), period.share)
    coupons = [coupon.discount(used=Decimal(0)) for coupon in Coupon.objects.of(month.tenant).order_by("pk")]
    items = [Item(Decimal(amount.numerator) / Decimal(amount.denominator)) for amount in amounts]
    return oracle_total(items, coupons, {"": VAT}, "EUR")


def test_the_bill_of_a_month_is_what_its_rows_cost(month: Month) -> None:
    with tenant_scope(month.tenant), time_machine.travel(JUNE - timedelta(seconds=1), tick=False):
        preview = reckon_running(tenant=month.tenant)
    invoice = invoice_of(month.tenant, JUNE + timedelta(hours=2), MAY)
    with tenant_scope(month.tenant):
        periods = list(BillingPeriod.objects.of(month.tenant).filter(ends_at__lte=JUNE).order_by("starts_at"))
        assert sum(period.share for period in periods) == 1
        counted = [month.rows(period) for period in periods]
        accepted = Delivery.objects.of(month.tenant).filter(state="accepted").count()
        expected = oracle(month, periods)
    told = [{meter: month.told[part, meter] for meter in (PUBLISHED, DELIVERED)} for part in (0, 1)]
    assert [{meter: rows[meter] for meter in (PUBLISHED, DELIVERED)} for rows in counted] == told
    assert sum(rows[SENDS] for rows in counted) == accepted == 12
    assert [rows[PEAK] for rows in counted] == [3, 2]
    assert sum(rows["api.calls"] for rows in counted) == 14
    assert (invoice.status, invoice.total) == ("finalised", expected)
    assert preview.statement.total == invoice.total


def test_what_comes_late_goes_to_its_period_and_on_the_next_bill(month: Month, api: APIClient) -> None:
    before = invoice_of(month.tenant, JUNE + timedelta(hours=2), MAY)
    gateway = month.record
    with time_machine.travel(JUNE + timedelta(days=3), tick=True):
        late: dict[str, Any] = {
            "id": "late",
            "meter": "api.calls",
            "quantity": 7,
            "occurred_at": "2026-05-31T12:00:00Z",
        }
        answer = api.post(
            "/api/v1/usage/events", {"events": [late, {**late, "id": "old", "occurred_at": "2026-04-01T00:00:00Z"}]}
        )
        assert [each["result"] for each in answer.json()["results"]] == ["late", "invalid"]
    with time_machine.travel(JUNE - timedelta(minutes=1), tick=True):
        asyncio.run(month._serve(2, 1, 1))  # a gateway that reached nobody before June
    with time_machine.travel(JUNE + timedelta(days=3), tick=False):
        ingest(region=gateway.region)
    july = datetime(2026, 7, 1, 2, tzinfo=UTC)
    after = invoice_of(month.tenant, july, JUNE)
    with tenant_scope(month.tenant):
        periods = list(BillingPeriod.objects.of(month.tenant).filter(ends_at__lte=JUNE).order_by("starts_at"))
        assert month.rows(periods[1])[PUBLISHED] == month.told[1, PUBLISHED]
        adjusted = {line.meter: line.quantity for line in after.lines.filter(kind="adjustment")}
        assert {meter: adjusted.get(meter) for meter in (PUBLISHED, DELIVERED)} == {PUBLISHED: 2, DELIVERED: 2}
        assert Invoice.objects.of(month.tenant).get(pk=before.pk).total == before.total
