"""Which lanes are called by our own sender."""

from __future__ import annotations

import pytest
from django.test import override_settings

from apps.providers.exchanges import Lane
from apps.providers.http import _is_for_us

ORIGIN = "https://api.push.example"


@pytest.mark.parametrize(
    ("lane", "common_proxy", "is_ours"),
    [
        (Lane("key", ORIGIN), "", True),
        (Lane("key", ORIGIN), "http://proxy.inside:3128", True),
        (Lane("key", ORIGIN), "socks5://proxy.inside:1080", False),
        (Lane("key", ORIGIN, proxy="http://proxy.example:3128"), "socks5://proxy.inside:1080", True),
        (Lane("key", ORIGIN, "203.0.114.9"), "", False),
        (Lane("key", ORIGIN, negotiates=True), "", False),
        (Lane("key", "http://127.0.0.1:8080"), "", False),
    ],
)
def test_only_what_surely_speaks_http2_over_tls(lane: Lane, common_proxy: str, is_ours: bool) -> None:
    with override_settings(EGRESS_PROXY=common_proxy):
        assert _is_for_us(lane) is is_ours
    with override_settings(OWN_HTTP2=False):
        assert not _is_for_us(lane)
