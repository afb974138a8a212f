"""latency.p99, latency.noisy: from the publish request to 1,000 receivers at 100 publications a second.

Publisher and receivers go before everything else on their core, so that what is late is the server. Beside it a C
loop sends the same frames at the same pace: how late they come on this machine from a server with nothing else to do.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.fanout import PAYLOAD
from benchmarks.flood import Flood
from benchmarks.gateway import SERVERS, Gateway, gateway, size, subscribe
from benchmarks.publisher import CHANNEL, EVENT, SIZE, Publisher
from benchmarks.registry import Reading, figure
from benchmarks.rulers import Load, go_first, go_with_others, least_latency
from tests.live import LiveTenant, free_port

AIM_MS, NOISY_AIM = 25.0, 2.0
PER_SECOND = 100
#: Receivers of the tenant that floods.
_CROWD = 20


@figure("latency.p99")
def p99() -> Iterator[Reading]:
    for server in SERVERS:
        with gateway(server) as one:
            value = _p99(one, _receive(one))
            least = least_latency(free_port(), _receivers(), PAYLOAD, _seconds(), PER_SECOND)
        yield Reading(f"latency.p99.{server}", value, "ms", {"aim": value / AIM_MS, "paced-send-loop": value / least})


@figure("latency.noisy")
def noisy() -> Iterator[Reading]:
    for server in SERVERS:
        with gateway(server) as one:
            quiet = _p99(one, _receive(one))
            value = _p99_under_flood(one, one.another_tenant())
        ratios = {"quiet": value / quiet, "aim": value / quiet / NOISY_AIM}
        yield Reading(f"latency.noisy.{server}", value, "ms", ratios)


def _p99_under_flood(one: Gateway, other: LiveTenant) -> float:
    seconds, path = _seconds(), f"/app/{other.key}?protocol=7"
    receivers = _receive(one)
    crowd = Load(one.server.port, path, _CROWD, subscribe(CHANNEL), seconds + 3.0)
    flood = Flood(one.server.port, other, seconds + 1.0)
    value = _p99(one, receivers)
    assert flood.answered() * _CROWD < crowd.result()["frames"], "somebody of the crowd lacks something"
    return value


def _seconds() -> float:
    return float(size("SECONDS", 8))


def _receivers() -> int:
    return size("SUBSCRIBERS", 1_000)


def _receive(one: Gateway) -> Load:
    return Load(one.server.port, one.path, _receivers(), subscribe(CHANNEL), _seconds() + 1.0, punctual=True)


def _p99(one: Gateway, receivers: Load) -> float:
    """Milliseconds."""
    go_first()
    try:
        sent = _publish_steadily(Publisher(one.server.url, one.tenant), _seconds())
    finally:
        go_with_others()
    counted = receivers.result()
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
