"""The verbs of billing that other rooms use. All but the ticks run inside the caller's tenant scope."""

from apps.billing.records import Result, UsageOutcome, UsageRecordIn
from apps.billing.services.own_meters import create_meter, meters_of
from apps.billing.services.periods import current_period, set_plan, subscription_of
from apps.billing.services.quotas import release_sends, require_allowance, reserve_sends
from apps.billing.services.recording import record_usage

__all__ = [
    "Result",
    "UsageOutcome",
    "UsageRecordIn",
    "create_meter",
    "current_period",
    "meters_of",
    "record_usage",
    "release_sends",
    "require_allowance",
    "reserve_sends",
    "set_plan",
    "subscription_of",
]
