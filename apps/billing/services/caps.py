"""A cap on what may be spent in a period, and the price of work before it is accepted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from apps.billing.errors import SpendCapReached
from apps.billing.meters import CAMPAIGN_SENDS
from apps.billing.models import BillingPeriod, Quota
from apps.billing.money import major, posted, scale_of
from apps.billing.services.periods import current_period, periods_of_cycle, subscription_of, used_in
from apps.billing.spending import affordable, spent
from apps.tenants.models import Tenant

#: Offered when nothing limits.
UNLIMITED = 10**12


@dataclass(frozen=True, slots=True)
class Budget:
    """A cycle's spending. cap: minor units, None for none. quantities: of the running period, used and reserved.

    earlier: the exact price of the parts of the cycle before a change of plan, each by its own plan.
    """

    period: BillingPeriod
    cap: int | None
    quantities: dict[str, int]
    earlier: Fraction = Fraction(0)

    @property
    def spent(self) -> Fraction:
        return self.earlier + spent(self.period.terms, self.quantities)

    def with_more(self, meter: str, quantity: int) -> Budget:
        return replace(self, quantities={**self.quantities, meter: self.quantities.get(meter, 0) + quantity})

    def room(self, meter: str, *, most: int = UNLIMITED) -> int:
        """How many more units of a meter the cap allows."""
        if self.cap is None:
            return most
        limit = Fraction(self.cap, scale_of(self.period.terms.currency)) - self.earlier
        return affordable(self.period.terms, self.quantities, meter, limit=limit, most=most)

    def price_of(self, meter: str, quantity: int) -> Fraction:
        return self.with_more(meter, quantity).spent - self.spent

    def require(self, meter: str, quantity: int) -> None:
        """Raises SpendCapReached when this many more units would pass the cap."""
        room = self.room(meter, most=quantity)
        if self.cap is not None and room < quantity:
            terms = self.period.terms
            raise SpendCapReached(
                meter=meter,
                room=room,
                cap=major(self.cap, terms.currency),
                spent=major(posted(self.spent, terms.currency), terms.currency),
                currency=terms.currency,
                resets_at=self.period.cycle.ends_at,
            )


@dataclass(frozen=True, slots=True)
class Quote:
    """What sends would cost. Amounts in minor units. fits: neither the limit of sends nor the cap refuses them."""

    currency: str
    price: int
    spent: int
    cap: int | None
    fits: bool

    @property
    def amount(self) -> str:
        return str(major(self.price, self.currency))

    @property
    def spent_amount(self) -> str:
        return str(major(self.spent, self.currency))

    @property
    def cap_amount(self) -> str | None:
        return None if self.cap is None else str(major(self.cap, self.currency))


def budget_of(*, tenant: Tenant) -> Budget:
    """Of the running cycle, as far as the running period prices it."""
    period = current_period(tenant=tenant)
    return Budget(
        period, subscription_of(tenant=tenant).spend_cap, _quantities(period), _spent_before(period, tenant=tenant)
    )


def spent_of(*, tenant: Tenant) -> Fraction:
    """What the usage of the running cycle costs so far, exactly, without what is reserved."""
    periods = periods_of_cycle(tenant=tenant, starts_at=current_period(tenant=tenant).cycle.starts_at)
    used = used_in(tenant=tenant, periods=periods)
    return sum((spent(period.terms, used[period.pk]) for period in periods), Fraction(0))


def _quantities(period: BillingPeriod) -> dict[str, int]:
    quotas = Quota.objects.of(period.tenant_id).filter(period=period)
    return {meter: used + reserved for meter, used, reserved in quotas.values_list("meter", "used", "reserved")}


def _spent_before(period: BillingPeriod, *, tenant: Tenant) -> Fraction:
    """Nothing, without a query, in a cycle that has one plan so far."""
    if period.cycle.starts_at == period.starts_at:
        return Fraction(0)
    cycle = periods_of_cycle(tenant=tenant, starts_at=period.cycle.starts_at)
    earlier = [each for each in cycle if each.starts_at < period.starts_at]
    return sum((spent(each.terms, _quantities(each)) for each in earlier), Fraction(0))


def quote_sends(*, tenant: Tenant, quantity: int) -> Quote:
    """The price of so many campaign sends on top of what is used and reserved, were they accepted now.

    fits looks at the tenant's limits; an application's own are asked for when the campaign is scheduled.
    """
    budget = budget_of(tenant=tenant)
    terms = budget.period.terms
    quota = Quota.objects.of(tenant).get(period=budget.period, meter=CAMPAIGN_SENDS)
    fits_limit = quota.hard_limit is None or quota.used + quota.reserved + quantity <= quota.hard_limit
    return Quote(
        currency=terms.currency,
        price=posted(budget.price_of(CAMPAIGN_SENDS, quantity), terms.currency),
        spent=posted(budget.spent, terms.currency),
        cap=budget.cap,
        fits=fits_limit and budget.room(CAMPAIGN_SENDS, most=quantity) == quantity,
    )
