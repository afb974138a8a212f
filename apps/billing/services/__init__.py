"""The verbs of billing that other rooms use. All but the ticks run inside the caller's tenant scope."""

from apps.billing.records import Result, UsageOutcome, UsageRecordIn
from apps.billing.services.recording import record_usage

__all__ = ["Result", "UsageOutcome", "UsageRecordIn", "record_usage"]
