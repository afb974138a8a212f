"""Counts what tenants' applications report, item by item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prometheus_client import Counter

from apps.billing.events import BadEvent, UsageEventIn
from apps.billing.records import UNKNOWN_METER, Result, UsageOutcome, UsageRecordIn
from apps.billing.services.own_meters import meters_of
from apps.billing.services.recording import record_usage
from apps.core import clock
from apps.tenants.models import Application, Tenant

MOST_EVENTS = 1_000
_RESULTS = Counter("pushsaas_usage_events_total", "Usage events of tenants' own meters.", ["result"])


def report_events(events: Sequence[Any], *, tenant: Tenant, application: Application) -> list[UsageOutcome]:
    """One outcome per event (parsed JSON), in order; never all-or-nothing. At most MOST_EVENTS of them.

    Runs in the caller's transaction, which must commit before anybody is told `new`.
    """
    meters, now = meters_of(tenant=tenant), clock.now()
    outcomes: list[UsageOutcome] = []
    records: dict[int, UsageRecordIn] = {}
    for place, raw in enumerate(events):
        try:
            event = UsageEventIn.parse(raw)
            records[place] = event.record(application=application.pk, meters=meters, now=now)
            outcomes.append(UsageOutcome(Result.NEW))
        except BadEvent as bad:
            code = str(bad)
            outcomes.append(UsageOutcome(Result.UNMATCHED if code == UNKNOWN_METER else Result.INVALID, code))
    for place, outcome in zip(records, record_usage(list(records.values()), tenant=tenant), strict=True):
        outcomes[place] = outcome
    for outcome in outcomes:
        _RESULTS.labels(outcome.result.value).inc()
    return outcomes
