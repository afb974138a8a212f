"""A plan version as a form: the terms of the whole, and one part for each meter that may be charged for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from apps.billing.dunning import BadSchedule, parse
from apps.billing.meters import METERS, Meter
from apps.billing.pricing import BadTerms, Charge, Model, Proration, Terms, Tier
from apps.operations.admin.fields import CurrencyField

_OPEN = "rest"


class PriceField(forms.DecimalField):
    """As many decimals as a price may have."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_digits=21, decimal_places=12, min_value=Decimal(0), **options)


class TermsForm(forms.Form):
    currency = CurrencyField()
    flat_fee = PriceField(label=_("Base fee per cycle"), initial=0)
    minimum = PriceField(label=_("Minimum"), required=False, help_text=_("Of the whole bill."))
    maximum = PriceField(label=_("Maximum"), required=False, help_text=_("Of the whole bill."))
    months = forms.TypedChoiceField(
        label=_("Length of a cycle in months"), coerce=int, choices=[(n, n) for n in (1, 3, 6, 12)]
    )
    proration = forms.ChoiceField(
        label=_("A part of a cycle is charged"),
        choices=[
            (Proration.SECOND.value, _("by the second")),
            (Proration.DAY.value, _("by the day")),
            (Proration.NONE.value, _("as a whole")),
        ],
    )
    grace_hours = forms.IntegerField(
        label=_("Grace in hours"), min_value=0, max_value=72, initial=1,
        help_text=_("From the end of a cycle until its invoice is finalised."),
    )  # fmt: skip
    bills_zero = forms.BooleanField(label=_("Issue invoices of nothing"), required=False)
    dunning = forms.CharField(
        label=_("Dunning schedule"), required=False, max_length=400,
        help_text=_("Such as “remind:1 restrict:21 suspend:30”, days after the due date. Empty: the installation's."),
    )  # fmt: skip

    def clean_dunning(self) -> str:
        try:
            parse(self.cleaned_data["dunning"])
        except BadSchedule as error:
            raise ValidationError(str(error)) from None
        return str(self.cleaned_data["dunning"])


class ChargeForm(forms.Form):
    """One meter. tiers: a line each, `up-to price [fee]`, the last one for the rest."""

    model = forms.ChoiceField(
        label=_("Price model"),
        required=False,
        choices=[
            ("", _("not charged for")),
            (Model.PER_UNIT.value, _("per unit")),
            (Model.GRADUATED.value, _("graduated")),
            (Model.VOLUME.value, _("volume")),
            (Model.PACKAGE.value, _("package")),
        ],
    )
    unit_price = PriceField(label=_("Price"), required=False, help_text=_("Per unit, or per package."))
    package_size = forms.IntegerField(label=_("Units in a package"), required=False, min_value=1)
    tiers = forms.CharField(
        label=_("Tiers"), required=False, max_length=2_000, widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("A line each: up to, price, fee when entered. The last line starts with “rest”."),
    )  # fmt: skip
    included = forms.IntegerField(label=_("Included units"), required=False, min_value=0)
    limit = forms.IntegerField(label=_("Limit"), required=False, min_value=0, help_text=_("Empty for none."))
    minimum = PriceField(label=_("Minimum"), required=False)
    maximum = PriceField(label=_("Maximum"), required=False)
    tax_code = forms.SlugField(label=_("Tax code"), required=False, max_length=40)

    def clean_tiers(self) -> tuple[Tier, ...]:
        return tuple(_tier(line) for line in self.cleaned_data["tiers"].splitlines() if line.strip())

    def charge(self, meter: str) -> Charge | None:
        said = self.cleaned_data
        if not said["model"]:
            return None
        return Charge(
            meter,
            model=Model(said["model"]),
            unit_price=said["unit_price"] or Decimal(0),
            included=said["included"] or 0,
            limit=said["limit"],
            tiers=said["tiers"],
            package_size=said["package_size"] or 1,
            minimum=said["minimum"],
            maximum=said["maximum"],
            tax_code=said["tax_code"],
        )


class VersionForm:
    """Both together. terms: what it starts from."""

    def __init__(self, data: Mapping[str, Any] | None, terms: Terms | None) -> None:
        self.whole = TermsForm(data, initial=_initial(terms), prefix="plan")
        self.charges = [(meter, _charge_form(data, meter, terms)) for meter in METERS.values()]

    def is_valid(self) -> bool:
        checked = [form.is_valid() for form in self.forms]  # every one, so that each shows what is wrong with it
        return all(checked)

    def terms(self) -> Terms | None:
        """None, with the reason on the form, for what cannot be charged by."""
        said = self.whole.cleaned_data
        charges = tuple(charge for meter, form in self.charges if (charge := form.charge(meter.name)) is not None)
        terms = Terms(charges=charges, **{**said, "proration": Proration(said["proration"])})
        try:
            return Terms.from_json(terms.to_json())
        except BadTerms as error:
            self.whole.add_error(None, str(error))
            return None

    @property
    def forms(self) -> Iterator[forms.Form]:
        yield self.whole
        yield from (form for _meter, form in self.charges)


def _initial(terms: Terms | None) -> dict[str, Any]:
    if terms is None:
        return {"currency": "EUR", "flat_fee": 0, "months": 1, "grace_hours": 1}
    names = ("currency", "flat_fee", "minimum", "maximum", "months", "grace_hours", "bills_zero", "dunning")
    return {**{name: getattr(terms, name) for name in names}, "proration": terms.proration.value}


def _charge_form(data: Mapping[str, Any] | None, meter: Meter, terms: Terms | None) -> ChargeForm:
    charge = terms.charge_for(meter.name) if terms else None
    initial: dict[str, Any] = {}
    if charge is not None:
        names = ("unit_price", "package_size", "included", "limit", "minimum", "maximum", "tax_code")
        initial = {name: getattr(charge, name) for name in names}
        initial |= {"model": charge.model.value, "tiers": "\n".join(_tier_line(tier) for tier in charge.tiers)}
    return ChargeForm(data, initial=initial, prefix=meter.name)


def _tier(line: str) -> Tier:
    words = line.split()
    if not 2 <= len(words) <= 3 or not (words[0] == _OPEN or (words[0].isascii() and words[0].isdigit())):
        raise ValidationError(_("“%(line)s” is not: up to, price, fee.") % {"line": line})
    try:
        price, fee = Decimal(words[1]), Decimal(words[2]) if len(words) == 3 else Decimal(0)
    except InvalidOperation:
        raise ValidationError(_("“%(line)s” is not: up to, price, fee.") % {"line": line}) from None
    return Tier(None if words[0] == _OPEN else int(words[0][:18]), price, fee)


def _tier_line(tier: Tier) -> str:
    fee = f" {tier.flat_fee}" if tier.flat_fee else ""
    return f"{_OPEN if tier.up_to is None else tier.up_to} {tier.unit_price}{fee}"
