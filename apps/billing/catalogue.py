"""The plans that every installation offers from the start. An operator may publish newer versions of them."""

from __future__ import annotations

from decimal import Decimal

from django.db import transaction

from apps.billing.errors import UnknownPlan
from apps.billing.meters import CAMPAIGN_SENDS, CONNECTIONS_PEAK, MESSAGES_DELIVERED, MESSAGES_PUBLISHED
from apps.billing.models import Plan, PlanVersion
from apps.billing.pricing import BadTerms, Charge, Terms

FREE = "free"
PAY_AS_YOU_GO = "pay-as-you-go"

_PLANS = {
    FREE: (
        "Free",
        Terms(
            "EUR",
            (
                Charge(MESSAGES_PUBLISHED, included=10_000_000, limit=10_000_000),
                Charge(MESSAGES_DELIVERED, included=1_000_000_000, limit=1_000_000_000),
                Charge(CONNECTIONS_PEAK, included=20_000, limit=20_000),
                Charge(CAMPAIGN_SENDS, included=10_000_000, limit=10_000_000),
            ),
        ),
    ),
    PAY_AS_YOU_GO: (
        "Pay as you go",
        Terms(
            "EUR",
            (
                Charge(MESSAGES_PUBLISHED, unit_price=Decimal("0.0000025"), included=1_000_000),
                Charge(MESSAGES_DELIVERED, unit_price=Decimal("0.0000005"), included=10_000_000),
                Charge(CONNECTIONS_PEAK, unit_price=Decimal("0.005"), included=500),
                Charge(CAMPAIGN_SENDS, unit_price=Decimal("0.00005"), included=100_000),
            ),
        ),
    ),
}


def current_version(code: str) -> PlanVersion:
    """The newest version of a plan; the plans of this file are made on first use. Raises UnknownPlan."""
    newest = PlanVersion.objects.filter(plan__code=code).select_related("plan").order_by("-number").first()
    if newest is not None:
        return newest
    if code not in _PLANS:
        raise UnknownPlan
    name, terms = _PLANS[code]
    Plan.objects.bulk_create([Plan(code=code, name=name)], ignore_conflicts=True)
    plan = Plan.objects.get(code=code)
    PlanVersion.objects.bulk_create(
        [PlanVersion(plan=plan, number=1, terms_json=terms.to_json())], ignore_conflicts=True
    )
    return PlanVersion.objects.select_related("plan").get(plan=plan, number=1)


@transaction.atomic
def publish_version(*, plan: Plan, terms: Terms) -> PlanVersion:
    """The plan's terms from now on, for who gets it from now on; earlier versions stay as they were agreed.

    Raises BadTerms.
    """
    for problem in terms.problems():
        raise BadTerms(problem)
    Plan.objects.select_for_update().get(pk=plan.pk)  # two operators at once must not draw one number
    newest = PlanVersion.objects.filter(plan=plan).order_by("-number").first()
    number = newest.number + 1 if newest else 1
    return PlanVersion.objects.create(plan=plan, number=number, terms_json=terms.to_json())
