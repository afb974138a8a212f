"""The verbs of billing that other rooms use. All but the ticks run inside the caller's tenant scope."""

from apps.billing.records import Result, UsageOutcome, UsageRecordIn
from apps.billing.services.own_meters import create_meter, meters_of
from apps.billing.services.periods import current_period, set_plan, subscription_of
from apps.billing.services.quotas import require_allowance
from apps.billing.services.recording import record_usage
from apps.billing.services.reservations import release, reserve

__all__ = [
    "Result",
    "UsageOutcome",
    "UsageRecordIn",
    "create_meter",
    "current_period",
    "meters_of",
    "record_usage",
    "release",
    "require_allowance",
    "reserve",
    "set_plan",
    "subscription_of",
]
