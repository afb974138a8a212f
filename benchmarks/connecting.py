"""connect.rate, connect.memory: handshake and one subscription each; what a connection costs in time and in memory."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psutil

from benchmarks.gateway import SERVERS, Gateway, gateway, size, subscribe
from benchmarks.registry import Reading, figure
from benchmarks.rulers import Load, cpu_seconds

RATE_AIM, MEMORY_AIM = 1_500, 25.0
#: Until the last subscription has been answered and the counts of the cluster have settled.
_SETTLE = 3.0


@figure("connect.rate")
def rate() -> Iterator[Reading]:
    for server in SERVERS:
        with gateway(server) as one:
            yield _rate(server, one)


def _rate(server: str, one: Gateway) -> Reading:
    count = size("CLIENTS", 4_000)
    before, process = cpu_seconds(one.server.process), one.server.process
    load = Load(one.server.port, one.path, count, subscribe("room"), _SETTLE, burst=64)
    time.sleep(_SETTLE / 2)
    seconds = cpu_seconds(process) - before
    counted = load.result()
    assert counted["fewest"] >= 2, "somebody was not subscribed"
    value = count / seconds
    return Reading(f"connect.rate.{server}", value, "connections/cpu-second", {"aim": value / RATE_AIM})


@figure("connect.memory")
def memory() -> Iterator[Reading]:
    for server in SERVERS:
        with gateway(server) as one:
            yield _memory(server, one)


def _memory(server: str, one: Gateway) -> Reading:
    count, process = size("CLIENTS", 10_000), psutil.Process(one.server.process.pid)
    # The first hundred pay for what is loaded and compiled once.
    Load(one.server.port, one.path, 100, subscribe("room"), 0.5).result()
    before = process.memory_info().rss
    load = Load(one.server.port, one.path, count, subscribe("room"), 2 * _SETTLE, burst=64)
    time.sleep(_SETTLE)
    value = (process.memory_info().rss - before) / count / 1024
    assert load.result()["fewest"] >= 2, "somebody was not subscribed"
    time.sleep(_SETTLE)
    left = (process.memory_info().rss - before) / count / 1024
    ratios = {"aim": value / MEMORY_AIM, "after-all-closed-at-once": value / max(left, 0.01)}
    return Reading(f"connect.memory.{server}", value, "KB/connection", ratios)
