"""Receipts that clients reported on their sockets, from the data plane's stream.

Recorded first, deleted then: a crash in between records them again, and a receipt counts once.
"""

from __future__ import annotations

import logging
from typing import Any

import orjson
from django.db import DatabaseError

from apps.core import valkey
from apps.messaging.services.receipts import MAX_RECEIPTS, record_signed_reports
from apps.realtime import keys
from apps.realtime.receipts import MAX_RECEIPTS as MAX_IN_ENTRY

log = logging.getLogger(__name__)

_ENTRIES, _PAGES = MAX_RECEIPTS // MAX_IN_ENTRY, 500


def take_socket_receipts(*, region: str) -> int:
    """Records what waits in a region's stream, up to a bound. Answers how many are new. Opens its own scopes."""
    client, recorded = valkey.connect(region), 0
    for _page in range(_PAGES):
        lines: Any = client.xrange(keys.RECEIPTS, count=_ENTRIES)
        if not lines:
            break
        reports = [report for _number, fields in lines for report in orjson.loads(fields[b"r"])]
        try:
            results = record_signed_reports(reports=reports)
        except DatabaseError:
            log.exception("receipts.postponed count=%s", len(reports))
            break
        client.xdel(keys.RECEIPTS, *(number for number, _fields in lines))
        recorded += sum(result.status == "recorded" for result in results)
    return recorded
