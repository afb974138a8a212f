"""fanout.many_channels: 10,000 channels with one subscriber each, publications spread over all of them.

Beside it: a loop of redis-py's `publish` to one subscriber. Both are CPU time of the one process that does it, so of
ours it holds the HTTP request, the log and the delivery.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.gateway import SERVERS, Gateway, gateway, size, subscribe
from benchmarks.publisher import EVENT, SIZE, Publisher
from benchmarks.registry import Reading, figure
from benchmarks.rulers import LOAD_CORE, Load, cpu_seconds, pinned
from tests.live import ROOT

AIM = 3.0
#: Channels of one event; the protocol's limit.
_AT_ONCE = 100


@figure("fanout.many_channels")
def many_channels() -> Iterator[Reading]:
    for server in SERVERS:
        with gateway(server) as one:
            ours = _microseconds(one)
            plain = _plain_loop(one.live.valkey_url)
        yield Reading(
            f"fanout.many_channels.{server}", ours, "CPU microseconds/delivery",
            {"aim-of-3-plain-loops": ours / plain / AIM, "plain-publish-loop": ours / plain},
        )  # fmt: skip


def _microseconds(one: Gateway) -> float:
    channels, seconds = size("CHANNELS", 10_000), size("SECONDS", 6)
    load = Load(one.server.port, one.path, channels, subscribe("many-%d"), seconds + 2.0, burst=64)
    time.sleep(1.0)
    before = cpu_seconds(one.server.process)
    published = _spread(Publisher(one.server.url, one.tenant), channels, seconds)
    used = cpu_seconds(one.server.process) - before
    arrived = load.result()["frames"] - 2 * channels
    assert arrived == published, f"{arrived} of {published} arrived"
    return used / published * 1e6


def _spread(publisher: Publisher, channels: int, seconds: float) -> int:
    """Event after event for a hundred channels each; publications made."""
    until, first, published = time.monotonic() + seconds, 0, 0
    while time.monotonic() < until:
        names = [f"many-{(first + each) % channels}" for each in range(_AT_ONCE)]
        publisher.publish({"name": EVENT, "channels": names, "data": "x" * SIZE})
        first, published = first + _AT_ONCE, published + _AT_ONCE
    return published


def _plain_loop(url: str) -> float:
    """CPU microseconds of one publish."""
    command = [sys.executable, "-m", "benchmarks.peers.plain_publish", url, "x" * SIZE]
    said = subprocess.run(pinned(LOAD_CORE, *command), cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return float(json.loads(said))
