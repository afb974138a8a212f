"""Form fields that several verbs share."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from apps.billing.errors import BadLimit
from apps.billing.meters import METERS
from apps.billing.money import is_currency, major, minor


class CurrencyField(forms.CharField):
    def __init__(self, **options: Any) -> None:
        super().__init__(
            **{"label": _("Currency"), "min_length": 3, "max_length": 3, "help_text": _("As in EUR"), **options}
        )

    def clean(self, value: Any) -> Any:
        code = super().clean(value).upper()
        if code and not is_currency(code):
            raise ValidationError(_("There is no such currency."))
        return code


class AmountField(forms.DecimalField):
    """Money as people write it; `units_of` makes minor units of it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"label": _("Amount"), "max_digits": 20, "decimal_places": 6, **options})


def units_of(amount: Decimal, currency: str) -> int:
    """Raises BadLimit for more digits than the currency has."""
    try:
        return minor(amount, currency)
    except ValueError:
        raise BadLimit(BadLimit.too_precise) from None


def open_amount(units: int, currency: str) -> Decimal:
    return major(units, currency)


class MetersField(forms.MultipleChoiceField):
    def __init__(self, **options: Any) -> None:
        super().__init__(
            choices=[(meter.name, meter.title) for meter in METERS.values()],
            required=False,
            widget=forms.CheckboxSelectMultiple,
            **options,
        )


class MomentField(forms.SplitDateTimeField):
    """A day and a time of day, in UTC. The browser's own pickers."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            required=False,
            widget=forms.SplitDateTimeWidget(
                date_attrs={"type": "date"}, time_attrs={"type": "time"}, date_format="%Y-%m-%d", time_format="%H:%M"
            ),
            **options,
        )
