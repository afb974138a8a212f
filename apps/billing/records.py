"""Usage records at the border: their shape, what makes one valid, and the fingerprints of its content. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from apps.billing.meters import METERS, Aggregation, Meter

OLDEST = timedelta(days=35)
AHEAD = timedelta(minutes=5)
MAX_SOURCE_KEY = 200
UNKNOWN_METER = "unknown_meter"
MAX_QUANTITY = 2**53
MAX_DIMENSIONS = 8
MAX_DIMENSION_TEXT = 128
MAX_SUBJECT = 128


class Result(StrEnum):
    """What became of one record.

    NEW was counted. LATE was counted too, in a period that is over: it is billed as an adjustment. DUP was counted
    before (success). CONFLICT has the identity of another record, UNMATCHED names no meter, INVALID is refused for the
    reason given: none of the three was counted.
    """

    NEW = "new"
    LATE = "late"
    DUP = "dup"
    CONFLICT = "conflict"
    UNMATCHED = "unmatched"
    INVALID = "invalid"

    @property
    def is_counted(self) -> bool:
        return self in {Result.NEW, Result.LATE, Result.DUP}


@dataclass(frozen=True, slots=True)
class UsageRecordIn:
    """One fact to count.

    source_key: the producer's own name of the fact; with tenant and meter its identity for ever. It holds no attempt
    number and no time of sending. quantity: whole units of the meter. application_id: row number, None for the tenant
    as a whole. dimensions: few and small words to group by. subject: who, for a meter of different subjects.
    """

    meter: str
    source_key: str
    quantity: int
    occurred_at: datetime
    application_id: int | None = None
    dimensions: Mapping[str, str] = field(default_factory=dict)
    subject: str = ""

    @property
    def identity(self) -> tuple[str, str]:
        return self.meter, self.source_key

    @property
    def payload_hash(self) -> bytes:
        """Of everything but the timestamp."""
        subject = f",{_canonical(self.subject)}" if self.subject else ""
        return _fingerprint(f"[{self.quantity},{self.application_id or 0},{self.dimensions_text}{subject}]")

    @property
    def dimensions_text(self) -> str:
        """Canonical JSON."""
        return _canonical(dict(self.dimensions)) if self.dimensions else "{}"


@dataclass(frozen=True, slots=True)
class UsageOutcome:
    """The answer for one record, in the order they were given. reason: a code, for INVALID only."""

    result: Result
    reason: str = ""


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _fingerprint(canonical: str) -> bytes:
    return hashlib.blake2b(canonical.encode(), digest_size=16).digest()


@lru_cache(maxsize=4_096)
def dimensions_hash(canonical: str) -> bytes:
    """Names a combination of dimensions, given as canonical JSON."""
    return _fingerprint(canonical)


def reason_against(record: UsageRecordIn, *, now: datetime, meters: Mapping[str, Meter] = METERS) -> str:
    """Why a record cannot be counted, as a code; empty when it can."""
    meter = meters.get(record.meter)
    if meter is None:
        return UNKNOWN_METER
    if not 1 <= len(record.source_key) <= MAX_SOURCE_KEY or "\x00" in record.source_key:
        return "bad_source_key"
    if not 0 <= record.quantity <= MAX_QUANTITY:
        return "bad_quantity"
    if record.occurred_at.tzinfo is None:
        return "timestamp_without_zone"
    if not now - OLDEST <= record.occurred_at <= now + AHEAD:
        return "timestamp_out_of_range"
    if not _subject_is_right(record.subject, meter):
        return "bad_subject"
    return "" if _dimensions_are_small(record.dimensions) else "bad_dimensions"


def _subject_is_right(subject: str, meter: Meter) -> bool:
    needed = meter.aggregation is Aggregation.UNIQUE
    return len(subject) <= MAX_SUBJECT and "\x00" not in subject and (bool(subject) or not needed)


def _dimensions_are_small(dimensions: Mapping[str, str]) -> bool:
    return len(dimensions) <= MAX_DIMENSIONS and all(
        isinstance(value, str) and len(name) + len(value) <= MAX_DIMENSION_TEXT and "\x00" not in name + value
        for name, value in dimensions.items()
    )
