"""What the phone makers report, in the shapes of their own documentation."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from apps.providers.counterparts.vendors.local import local_makers
from apps.providers.registry import needs_of
from apps.providers.vendors.callbacks import VENDORS, reports_in

T1, T2 = "a" * 40, "b" * 40
AT = 1_764_000_000_000


def _form(field: str, value: Any) -> bytes:
    return urlencode({field: json.dumps(value), "access_token": "x"}).encode()


@pytest.mark.parametrize(
    ("vendor", "body", "expected"),
    [
        (
            "xiaomi",
            _form("data", {
                "m1": {"param": T1, "type": 1, "targets": "r1,r2", "timestamp": AT, "barStatus": "Enable"},
                "m2": {"param": T2, "type": 2, "targets": "r1"}, "m3": {"param": T2, "type": 16, "targets": "r1"},
            }),
            [{"token": T1, "kind": "received", "at": AT}, {"token": T2, "kind": "clicked"}],
        ),
        (
            "meizu",
            _form("cb", {"m1-1": {"param": T1, "type": 1, "targets": ["p"]}, "m1-2": {"param": T1, "type": 2}}),
            [{"token": T1, "kind": "received"}, {"token": T1, "kind": "clicked"}],
        ),
        (
            "oppo",
            json.dumps([
                {"messageId": "m", "param": T1, "eventType": "push_arrive", "eventTime": str(AT)},
                {"messageId": "m", "param": T2, "eventType": "regid_invalid"},
            ]).encode(),
            [{"token": T1, "kind": "received", "at": AT}],
        ),
        (
            "vivo",
            json.dumps({"task1": {"param": T1, "targets": "r1", "ackTime": AT}}).encode(),
            [{"token": T1, "kind": "received", "at": AT}],
        ),
        (
            "huawei",
            json.dumps({"statuses": [
                {"biTag": T1, "token": "p1", "status": 0, "timestamp": AT, "requestId": "r"},
                {"biTag": T2, "token": "p2", "status": 2, "timestamp": AT},
            ]}).encode(),
            [{"token": T1, "kind": "received", "at": AT}],
        ),
    ],
)  # fmt: skip
def test_a_makers_report(vendor: str, body: bytes, expected: list[dict[str, Any]]) -> None:
    assert reports_in(vendor, body) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\xff", b"{", b"null", b"[[[[[[]]]]]]", b"data=7", b'{"param": 7}', b"a=1&" * 50,
        json.dumps([{"a": [{"b": {"param": T1, "type": 1}}]}]).encode(),
    ],
)  # fmt: skip
def test_what_is_no_report_is_none(body: bytes) -> None:
    assert reports_in("xiaomi", body) == []


@pytest.mark.parametrize("name", local_makers())
def test_what_a_run_on_this_machine_prints_is_a_whole_credential(name: str) -> None:
    maker = local_makers()[name]
    assert set(maker.values) == {field.name for field in needs_of(name).fields if field.is_required}
    assert maker.variables(name, "https://127.0.0.1:1")[0] == f"PUSHSAAS_{name.upper()}_URL=https://127.0.0.1:1"
    assert name in VENDORS
