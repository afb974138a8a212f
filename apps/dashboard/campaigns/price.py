"""What a campaign would cost, in the words of the review."""

from __future__ import annotations

from dataclasses import dataclass

from apps.billing.money import display
from apps.billing.services.caps import Quote


@dataclass(frozen=True, slots=True)
class Price:
    """Amounts with their currency. cap: empty for none."""

    amount: str
    spent: str
    cap: str
    fits: bool


def price_shown(quote: Quote, language: str) -> Price:
    return Price(
        amount=display(quote.price, quote.currency, language),
        spent=display(quote.spent, quote.currency, language),
        cap="" if quote.cap is None else display(quote.cap, quote.currency, language),
        fits=quote.fits,
    )
