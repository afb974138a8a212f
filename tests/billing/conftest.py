"""Records for the billing tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from apps.billing.records import UsageRecordIn
from apps.core import clock

RecordMaker = Callable[..., UsageRecordIn]


@pytest.fixture
def record() -> RecordMaker:
    def make(
        source_key: str = "rt:a:1:1",
        quantity: int = 1,
        *,
        meter: str = "messages.published",
        occurred_at: datetime | None = None,
        **more: Any,
    ) -> UsageRecordIn:
        return UsageRecordIn(meter, source_key, quantity, occurred_at or clock.now(), **more)

    return make
