"""A cap on what may be spent in a period, and the price of work before it is accepted."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from apps.billing.errors import SpendCapReached
from apps.billing.meters import CAMPAIGN_SENDS
from apps.billing.models import BillingPeriod, Quota
from apps.billing.money import major, posted
from apps.billing.services.periods import current_period, subscription_of
from apps.billing.spending import affordable, spent
from apps.tenants.models import Tenant

#: Offered when nothing limits.
UNLIMITED = 10**12


@dataclass(frozen=True, slots=True)
class Budget:
    """A period's spending. cap: minor units, None for none. quantities: used and reserved, by meter."""

    period: BillingPeriod
    cap: int | None
    quantities: dict[str, int]

    def room(self, meter: str, *, most: int = UNLIMITED) -> int:
        """How many more units of a meter the cap allows."""
        if self.cap is None:
            return most
        return affordable(self.period.terms, self.quantities, meter, cap=self.cap, most=most)

    def price_of(self, meter: str, quantity: int) -> Fraction:
        terms = self.period.terms
        later = {**self.quantities, meter: self.quantities.get(meter, 0) + quantity}
        return spent(terms, later) - spent(terms, self.quantities)

    def require(self, meter: str, quantity: int) -> None:
        """Raises SpendCapReached when this many more units would pass the cap."""
        room = self.room(meter, most=quantity)
        if self.cap is not None and room < quantity:
            terms = self.period.terms
            raise SpendCapReached(
                meter=meter,
                room=room,
                cap=major(self.cap, terms.currency),
                spent=major(posted(spent(terms, self.quantities), terms.currency), terms.currency),
                currency=terms.currency,
                resets_at=self.period.ends_at,
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
    """Of the running period."""
    period = current_period(tenant=tenant)
    quotas = Quota.objects.of(tenant).filter(period=period)
    quantities = {meter: used + reserved for meter, used, reserved in quotas.values_list("meter", "used", "reserved")}
    return Budget(period, subscription_of(tenant=tenant).spend_cap, quantities)


def quote_sends(*, tenant: Tenant, quantity: int) -> Quote:
    """The price of so many campaign sends on top of what is used and reserved, were they accepted now."""
    budget = budget_of(tenant=tenant)
    terms = budget.period.terms
    quota = Quota.objects.of(tenant).get(period=budget.period, meter=CAMPAIGN_SENDS)
    fits_limit = quota.hard_limit is None or quota.used + quota.reserved + quantity <= quota.hard_limit
    return Quote(
        currency=terms.currency,
        price=posted(budget.price_of(CAMPAIGN_SENDS, quantity), terms.currency),
        spent=posted(spent(terms, budget.quantities), terms.currency),
        cap=budget.cap,
        fits=fits_limit and budget.room(CAMPAIGN_SENDS, most=quantity) == quantity,
    )
