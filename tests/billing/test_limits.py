"""Limits that tenants set for themselves, in units and in money, at both doors."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis
from rest_framework.test import APIClient

from apps.billing.errors import BadLimit, QuotaExceeded, SpendCapReached
from apps.billing.models import Quota, UsageAlert
from apps.billing.pricing import Charge, Model, Terms, Tier
from apps.billing.services import record_usage, require_allowance, reserve, set_plan
from apps.billing.services.alerts import raise_alerts
from apps.billing.services.allowances import settle_allowance, settle_due_allowances
from apps.billing.services.caps import quote_sends
from apps.billing.services.limits import OwnLimit, set_limits
from apps.billing.spending import affordable, spent
from apps.core import clock, valkey
from apps.realtime import keys
from apps.tenants.models import AuditEntry, Tenant
from apps.tenants.scope import tenant_scope
from tests.billing.conftest import RecordMaker

pytestmark = pytest.mark.django_db
SENDS, PUBLISHED = "campaign.sends", "messages.published"


def limit(tenant: Tenant, cap: int | None = None, **limits: OwnLimit) -> None:
    named = {meter.replace("_", "."): own for meter, own in limits.items()}
    with tenant_scope(tenant):
        set_limits(tenant=tenant, actor="system", limits=named, spend_cap=cap)


@pytest.fixture
def payer(tenant: Tenant) -> Tenant:
    """Pays as it goes: 100,000 sends are included, each further one costs 0.00005 EUR."""
    begin = clock.now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    with time_machine.travel(begin, tick=False), tenant_scope(tenant):
        set_plan(tenant=tenant, code="pay-as-you-go")
    return tenant


def quota(tenant: Tenant, meter: str = SENDS) -> Quota:
    with tenant_scope(tenant):
        return Quota.objects.of(tenant).get(meter=meter)


def test_of_two_hard_limits_the_tighter_binds(tenant: Tenant) -> None:
    with tenant_scope(tenant):
        set_plan(tenant=tenant, limits={SENDS: 100})
    limit(tenant, campaign_sends=OwnLimit(hard=500))
    assert quota(tenant).hard_limit == 100
    limit(tenant, campaign_sends=OwnLimit(hard=40))
    assert quota(tenant).hard_limit == 40
    with tenant_scope(tenant), pytest.raises(QuotaExceeded):
        require_allowance(tenant=tenant, meter=SENDS, quantity=41)
    limit(tenant)
    assert quota(tenant).hard_limit == 100


def test_a_soft_limit_warns_and_never_refuses(tenant: Tenant, record: RecordMaker, as_worker: None) -> None:
    limit(tenant, messages_published=OwnLimit(soft=10))
    with tenant_scope(tenant):
        record_usage([record(quantity=12)], tenant=tenant)
        require_allowance(tenant=tenant, meter=PUBLISHED, quantity=1_000)
    raise_alerts()
    with tenant_scope(tenant):
        assert list(UsageAlert.objects.of(tenant).order_by("threshold").values_list("threshold", flat=True)) == [
            50,
            80,
            100,
        ]


@pytest.mark.parametrize(
    "limits",
    [{"no.such": OwnLimit(hard=1)}, {SENDS: OwnLimit(soft=2, hard=1)}, {SENDS: OwnLimit(hard=-1)}],
)
def test_an_unsound_limit_changes_nothing(tenant: Tenant, limits: dict[str, OwnLimit]) -> None:
    before = quota_or_none(tenant)
    with tenant_scope(tenant), pytest.raises(BadLimit):
        set_limits(tenant=tenant, actor="system", limits=limits, spend_cap=None)
    assert quota_or_none(tenant) == before


def quota_or_none(tenant: Tenant) -> Any:
    with tenant_scope(tenant):
        return Quota.objects.of(tenant).filter(meter=SENDS).values_list("hard_limit", "soft_limit").first()


def test_sends_are_reserved_up_to_the_cap_and_not_one_further(payer: Tenant) -> None:
    limit(payer, cap=100)  # 1.00 EUR: 20,000 paid sends
    with tenant_scope(payer):
        reserve(tenant=payer, holder="chunk:1", wanted={SENDS: 119_000})
        with pytest.raises(SpendCapReached) as refused:
            reserve(tenant=payer, holder="chunk:1", wanted={SENDS: 1_001})
        assert (refused.value.room, refused.value.details["used"]) == (1_000, "0.95")
        reserve(tenant=payer, holder="chunk:1", wanted={SENDS: 1_000})
        with pytest.raises(SpendCapReached):
            reserve(tenant=payer, holder="chunk:1", wanted={SENDS: 1})


def test_the_cap_takes_the_allowance_of_publications_away(
    payer: Tenant, clean_valkey: None, region: str, record: RecordMaker, as_worker: None
) -> None:
    client: Redis = valkey.connect(region)
    limit(payer, cap=100)  # 1,000,000 included, then 400,000 for 1 EUR
    settle_allowance(tenant_id=payer.pk)
    assert int(client.get(keys.message_allowance(payer.pk)) or -1) == 1_400_000  # type: ignore[arg-type]
    assert int(client.get(keys.connection_allowance(payer.pk)) or -1) == 700  # type: ignore[arg-type]
    with tenant_scope(payer):
        record_usage([record(quantity=12_000_000, meter="messages.delivered")], tenant=payer)  # 1 EUR
    settle_allowance(tenant_id=payer.pk)
    assert int(client.get(keys.message_allowance(payer.pk)) or -1) == 1_000_000  # type: ignore[arg-type]
    with tenant_scope(payer):
        record_usage([record("b", 1_000, meter="messages.delivered")], tenant=payer)
    settle_allowance(tenant_id=payer.pk)
    assert client.get(keys.message_allowance(payer.pk)) == b"0"
    limit(payer, cap=200)
    settle_due_allowances()
    assert int(client.get(keys.message_allowance(payer.pk)) or -1) > 1_000_000  # type: ignore[arg-type]


def test_a_quote_is_what_the_sends_add_to_the_bill(payer: Tenant) -> None:
    with tenant_scope(payer):
        reserve(tenant=payer, holder="chunk:1", wanted={SENDS: 90_000})
        quote = quote_sends(tenant=payer, quantity=30_000)
        assert (quote.amount, quote.spent_amount, quote.cap_amount, quote.fits) == ("1.00", "0.00", None, True)
    limit(payer, cap=99)
    with tenant_scope(payer):
        assert (quote := quote_sends(tenant=payer, quantity=30_000)).fits is False
        assert quote.cap_amount == "0.99"


def test_limits_are_set_by_rest_and_stand_in_the_audit(payer: Tenant, api: APIClient, other_api: APIClient) -> None:
    body = {"meters": {SENDS: {"soft": 5, "hard": 9}}, "spend_cap": "12.50"}
    answer = api.put("/api/v1/usage/limits", body)
    assert answer.json() == {**body, "currency": "EUR"}
    assert (quota(payer).hard_limit, quota(payer).soft_limit) == (9, 5)
    assert other_api.get("/api/v1/usage/limits").json() == {"meters": {}, "spend_cap": None, "currency": "EUR"}
    for wrong in ({"spend_cap": "0.001"}, {"meters": {"no.such": {"hard": 1}}}, {"meters": {SENDS: {"hard": -1}}}):
        assert api.put("/api/v1/usage/limits", {**body, **wrong}).status_code == 400
    with tenant_scope(payer):
        assert AuditEntry.objects.of(payer).filter(action="limits.set").count() == 1


_MODELS = [
    Charge("campaign.sends", unit_price=Decimal("0.03"), included=7),
    Charge("campaign.sends", Model.PACKAGE, unit_price=Decimal("0.5"), package_size=13),
    Charge(
        "campaign.sends", Model.GRADUATED, tiers=(Tier(20, Decimal("0.1"), Decimal(1)), Tier(None, Decimal("0.01")))
    ),
    Charge("campaign.sends", Model.VOLUME, included=3, tiers=(Tier(20, Decimal("0.1")), Tier(None, Decimal("0.01")))),
]


@given(st.sampled_from(_MODELS), st.integers(0, 60), st.integers(0, 400), st.integers(0, 80))
def test_what_is_affordable_never_passes_the_cap_on_the_way(charge: Charge, used: int, cap: int, most: int) -> None:
    terms = Terms("EUR", (charge,))
    room = affordable(terms, {SENDS: used}, SENDS, limit=Fraction(cap, 100), most=most)
    costs = [spent(terms, {SENDS: used + more}) for more in range(room + 1)]
    if room:
        assert max(costs) <= Fraction(cap, 100)
    if room < most and spent(terms, {SENDS: used}) <= Fraction(cap, 100) and charge.model is not Model.VOLUME:
        assert spent(terms, {SENDS: used + room + 1}) > Fraction(cap, 100)
