"""From planned to revenue: each step with its rate and what it is a part of."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apps.campaigns.rates import BASES, rate_of
from apps.core.charts import Row, row_chart
from apps.dashboard.campaigns.results.words import STEPS, base_name, percent, step_name
from apps.messaging.ledger.states import Counts

#: Losses stand in the table; the picture shows who is left.
_LOSSES = frozenset({"suppressed", "failed", "unknown"})


@dataclass(frozen=True, slots=True)
class Step:
    """rate: with its base in words, such as "12.3 %" and "of planned"; of the first step neither."""

    key: str
    name: str
    count: int
    rate: str
    base: str


def steps_of(counts: Counts) -> list[Step]:
    return [
        Step(
            key, step_name(key), getattr(counts, key), percent(rate_of(counts, key)) if key in BASES else "",
            base_name(BASES[key]) if key in BASES else "",
        )
        for key in STEPS
    ]  # fmt: skip


def drawn(steps: list[Step]) -> SafeString:
    rows = [
        Row(step.name, step.count, " · ".join(filter(None, (intcomma(step.count), f"{step.rate} {step.base}".strip()))))
        for step in steps
        if step.key not in _LOSSES
    ]
    said = ", ".join(f"{row.label}: {row.text}" for row in rows)
    return row_chart(rows, title=_("From planned to converted"), description=said)
