"""What billing says no with."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from apps.core import clock
from apps.core.errors import Category, HouseError


class QuotaExceeded(HouseError):
    """The period's hard limit of a meter would be passed. Nothing was changed. room: units of it that still fit.

    application: decimal id, when it is this application's own limit and not the tenant's.
    """

    category = Category.LIMITED
    code = "quota_exceeded"
    default_message = _("The limit of this billing period is reached.")

    def __init__(self, *, meter: str, limit: int, used: int, resets_at: datetime, application: str = "") -> None:
        scope = {"scope": "application", "application": application} if application else {"scope": "tenant"}
        super().__init__(
            details={"meter": meter, "limit": limit, "used": used, "resets_at": resets_at.isoformat(), **scope},
            retry_after=max(1.0, (resets_at - clock.now()).total_seconds()),
        )
        self.meter, self.room = meter, max(0, limit - used)


class SpendCapReached(HouseError):
    """The period's cap in money would be passed. Nothing was changed. room: units that still fit."""

    category = Category.PAYMENT_REQUIRED
    code = "spend_cap_reached"
    default_message = _("The spend cap of this billing period would be passed.")

    def __init__(
        self, *, meter: str, room: int, cap: Decimal, spent: Decimal, currency: str, resets_at: datetime
    ) -> None:
        super().__init__(
            details={
                "meter": meter,
                "limit": str(cap),
                "used": str(spent),
                "currency": currency,
                "resets_at": resets_at.isoformat(),
            },
        )
        self.meter, self.room = meter, room


class UnknownPlan(HouseError):
    """No plan has this code."""

    category = Category.NOT_FOUND
    code = "unknown_plan"
    default_message = _("There is no such plan.")


class BadLimit(HouseError):
    """A limit names an unknown meter or is not a whole number."""

    category = Category.INVALID
    code = "bad_limit"
    default_message = _("A limit needs a known meter and a whole number of units.")

    too_precise: ClassVar = _("The currency has no such small amounts.")


class BadRange(HouseError):
    """A report was asked for a range of time that it cannot have."""

    category = Category.INVALID
    code = "bad_range"
    default_message = _("The range of time is not valid.")

    ends_early: ClassVar = _("The range must end after it starts.")
    too_long: ClassVar = _("The range is longer than %(days)d days.")


class BadMeter(HouseError):
    """A meter of one's own has a name that is taken or cannot be, or adds up in no known way."""

    category = Category.INVALID
    code = "bad_meter"
    default_message = _("The meter cannot be made like this.")

    bad_name: ClassVar = _("Write lower-case words with dots between them, such as api.calls.")
    taken: ClassVar = _("There is a meter of this name.")
    too_many: ClassVar = _("There are at most %(count)d meters of one's own.")


class WrongInvoiceState(HouseError):
    """An invoice that is finalised, voided or paid was asked to do what only another one can."""

    category = Category.CONFLICT
    code = "wrong_invoice_state"
    default_message = _("The invoice is not in a state that allows this.")


class BadAmount(HouseError):
    """An amount of money that is not above zero, has too many digits, or is more than there is."""

    category = Category.INVALID
    code = "bad_amount"
    default_message = _("The amount must be above zero and no more than what is left.")


class BadCredit(HouseError):
    """A coupon, a prepaid credit or a tax that cannot be used on an invoice."""

    category = Category.INVALID
    code = "bad_credit"
    default_message = _("This coupon, credit or tax cannot be used.")


class BadNotice(HouseError):
    """A payment processor's notice that nobody proved to have sent, or that cannot be read."""

    category = Category.UNAUTHENTICATED
    code = "bad_notice"
    default_message = _("The notice is not signed by the payment processor.")


class ProcessorUnavailable(HouseError):
    """The payment processor did not answer, or refused to. Nothing was changed."""

    category = Category.UNAVAILABLE
    code = "processor_unavailable"
    default_message = _("The payment processor does not answer just now. Try again in a moment.")
