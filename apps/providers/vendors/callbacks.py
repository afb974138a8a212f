"""What the vendors report about messages: which arrived, which were tapped. Pure.

None of them signs in one way; the receipt token that comes back as the message's parameter is what proves a report.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import orjson

RECEIVED, CLICKED = "received", "clicked"
VENDORS = frozenset({"huawei", "harmony", "honor", "xiaomi", "oppo", "vivo", "meizu"})

#: Xiaomi's and Meizu's types, OPPO's events, the status of Huawei and Honor for what was delivered.
_KINDS: dict[str, dict[str, str]] = {
    "type": {"1": RECEIVED, "2": CLICKED},
    "eventType": {"push_arrive": RECEIVED, "push_click": CLICKED},
    "status": {"0": RECEIVED},
}
_TIMES = ("timestamp", "eventTime", "ackTime")
#: JSON is looked into so deep.
_DEEPEST = 4


def reports_in(vendor: str, body: bytes) -> list[dict[str, Any]]:
    """Objects with `token`, `kind` and, where it is told, `at`, as `record_signed_reports` takes them."""
    return [report for entry in _entries(_parsed(body), _DEEPEST) if (report := _report(vendor, entry))]


def _parsed(body: bytes) -> Any:
    """JSON, or the field of a form that holds it: `data` (Xiaomi) or `cb` (Meizu)."""
    try:
        if body[:1] in {b"{", b"["}:
            return orjson.loads(body)
        form = parse_qs(body.decode(), max_num_fields=20)
        return orjson.loads((form.get("data") or form.get("cb") or ["null"])[0])
    except ValueError:
        return None


def _entries(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    if not depth:
        return
    if isinstance(value, dict) and ("param" in value or "biTag" in value):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _entries(inner, depth - 1)


def _report(vendor: str, entry: dict[str, Any]) -> dict[str, Any] | None:
    told = [kinds.get(str(entry[name])) for name, kinds in _KINDS.items() if name in entry]
    kind = told[0] if told else RECEIVED if vendor == "vivo" else None
    if kind is None:
        return None
    moments = [entry[name] for name in _TIMES if str(entry.get(name, "")).isdecimal()]
    report = {"token": entry.get("param") or entry.get("biTag"), "kind": kind}
    return report | ({"at": int(moments[0])} if moments else {})
