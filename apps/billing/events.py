"""Usage events as tenants send them, our own JSON or CloudEvents 1.0, made into usage records. Pure.

Ours: `{"id", "meter", "quantity"?, "occurred_at"?, "subject"?, "dimensions"?, "source"?}`. CloudEvents (cloudevents.io,
JSON format): `type` names the meter, `source` and `id` the event, `data` holds `quantity` and `dimensions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from apps.billing.meters import METERS, Aggregation, Meter
from apps.billing.records import UNKNOWN_METER, UsageRecordIn

#: Two of these and an application fit a source key.
MAX_WORD = 80
_FIELDS = {"id", "meter", "quantity", "occurred_at", "subject", "dimensions", "source"}


class BadEvent(ValueError):
    """The event cannot be counted; the message is a code."""


@dataclass(frozen=True, slots=True)
class UsageEventIn:
    """One event whose shape is right. occurred_at: None for the moment it is received."""

    id: str
    source: str
    meter: str
    quantity: int
    occurred_at: datetime | None
    subject: str
    dimensions: Mapping[str, str]

    @classmethod
    def parse(cls, raw: Any) -> Self:
        """Reads either format. Raises BadEvent."""
        if not isinstance(raw, Mapping):
            raise BadEvent("not_an_object")
        return cls._of_cloud_event(raw) if "specversion" in raw else cls._of_ours(raw)

    @classmethod
    def _of_ours(cls, raw: Mapping[str, Any]) -> Self:
        if not set(raw) <= _FIELDS:
            raise BadEvent("unknown_field")
        return cls(
            id=_word(raw.get("id"), "bad_id"),
            source=_word(raw.get("source", ""), "bad_source", least=0),
            meter=_text(raw.get("meter"), UNKNOWN_METER),
            quantity=_quantity(raw.get("quantity", 1)),
            occurred_at=_instant(raw.get("occurred_at")),
            subject=_text(raw.get("subject", ""), "bad_subject"),
            dimensions=_dimensions(raw.get("dimensions", {})),
        )

    @classmethod
    def _of_cloud_event(cls, raw: Mapping[str, Any]) -> Self:
        if raw["specversion"] != "1.0":
            raise BadEvent("unknown_specversion")
        data = raw.get("data", {})
        if not isinstance(data, Mapping):
            raise BadEvent("bad_data")
        return cls(
            id=_word(raw.get("id"), "bad_id"),
            source=_word(raw.get("source"), "bad_source"),
            meter=_text(raw.get("type"), UNKNOWN_METER),
            quantity=_quantity(data.get("quantity", 1)),
            occurred_at=_instant(raw.get("time")),
            subject=_text(raw.get("subject", ""), "bad_subject"),
            dimensions=_dimensions(data.get("dimensions", {})),
        )

    def record(self, *, application: int, meters: Mapping[str, Meter], now: datetime) -> UsageRecordIn:
        """The record to count. application: row number. Raises BadEvent for a meter that only the house counts.

        The length of the source keeps two pairs of source and id from reading the same.
        """
        if self.meter in METERS:
            raise BadEvent("reserved_meter")
        meter = meters.get(self.meter)
        counts_records = meter is not None and meter.aggregation in {Aggregation.COUNT, Aggregation.UNIQUE}
        return UsageRecordIn(
            meter=self.meter,
            source_key=f"api:{application}:{len(self.source)}:{self.source}:{self.id}",
            quantity=1 if counts_records else self.quantity,
            occurred_at=self.occurred_at or now,
            application_id=application,
            dimensions=self.dimensions,
            subject=self.subject,
        )


def _text(value: Any, code: str) -> str:
    if not isinstance(value, str):
        raise BadEvent(code)
    return value


def _word(value: Any, code: str, *, least: int = 1) -> str:
    if not isinstance(value, str) or not least <= len(value) <= MAX_WORD:
        raise BadEvent(code)
    return value


def _quantity(value: Any) -> int:
    if type(value) is not int:
        raise BadEvent("bad_quantity")
    return value


def _instant(value: Any) -> datetime | None:
    """RFC 3339 with an offset."""
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(_text(value, "bad_timestamp"))
    except ValueError:
        raise BadEvent("bad_timestamp") from None
    if instant.tzinfo is None:
        raise BadEvent("timestamp_without_zone")
    return instant


def _dimensions(value: Any) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        raise BadEvent("bad_dimensions")
    return value
