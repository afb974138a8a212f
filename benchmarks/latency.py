"""latency.p99, latency.noisy: from the publish request to 1,000 receivers at 100 publications a second."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.gateway import SERVERS, Gateway, gateway, size, subscribe
from benchmarks.publisher import CHANNEL, EVENT, SIZE, Publisher
from benchmarks.registry import Reading, figure
from benchmarks.rulers import LOAD_CORE, Load, pinned
from tests.live import ROOT, LiveTenant

AIM_MS, NOISY_AIM = 25.0, 2.0
PER_SECOND = 100
#: Receivers of the tenant that floods.
_CROWD = 100


@figure("latency.p99")
def p99() -> Iterator[Reading]:
    for server in SERVERS:
        with gateway(server) as one:
            value = _p99(one)
        yield Reading(f"latency.p99.{server}", value, "ms", {"aim": value / AIM_MS})


@figure("latency.noisy")
def noisy() -> Iterator[Reading]:
    for server in SERVERS:
        with gateway(server) as one:
            other = one.another_tenant()
            quiet = _p99(one)
            crowd = Load(one.server.port, f"/app/{other.key}?protocol=7", _CROWD, subscribe(CHANNEL), _seconds() + 3.0)
            flood = _flood(one, other, _seconds() + 3.0)
            value = _p99(one)
            flood.wait()
            arrived = crowd.result()["frames"]
        assert arrived > 2 * _CROWD, "nobody flooded"
        yield Reading(
            f"latency.noisy.{server}", value, "ms", {"quiet": value / quiet, "aim": value / quiet / NOISY_AIM}
        )


def _seconds() -> float:
    return float(size("SECONDS", 8))


def _flood(one: Gateway, tenant: LiveTenant, seconds: float) -> subprocess.Popen[bytes]:
    arguments = [one.server.url, tenant.application_id, tenant.key, tenant.secret, str(seconds)]
    return subprocess.Popen(
        pinned(LOAD_CORE, sys.executable, "-m", "benchmarks.publisher", *arguments), cwd=ROOT, env=dict(os.environ)
    )


def _p99(one: Gateway) -> float:
    """Milliseconds."""
    receivers, seconds = size("SUBSCRIBERS", 1_000), _seconds()
    load = Load(one.server.port, one.path, receivers, subscribe(CHANNEL), seconds + 1.0)
    sent = _publish_steadily(Publisher(one.server.url, one.tenant), seconds)
    counted = load.result()
    assert counted["fewest"] == sent + 2, f"{counted['fewest']} of {sent + 2} frames arrived somewhere"
    return counted["p99_us"] / 1_000


def _publish_steadily(publisher: Publisher, seconds: float) -> int:
    """Events that carry their time; how many."""
    began, sent = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        publisher.publish({"name": EVENT, "channel": CHANNEL, "data": f"@T{time.monotonic_ns():019d}".ljust(SIZE, "x")})
        sent += 1
        time.sleep(max(0.0, began + sent / PER_SECOND - time.monotonic()))
    return sent
