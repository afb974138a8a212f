"""connect.closes: thousands are cut at once, again and again; does memory go on growing after the second time?

Resident size does not fall when connections end: Python's allocator and malloc keep what they have for the next
ones. So one round cannot tell a leak from that, and a plateau can.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import psutil

from benchmarks.gateway import SERVERS, Gateway, gateway, size, subscribe
from benchmarks.registry import Reading, figure
from benchmarks.rulers import Load

ROUNDS = 6
#: Until the cuts have been noticed, and the counts of the cluster are settled.
_SETTLE = 4.0


@figure("connect.closes")
def closes() -> Iterator[Reading]:
    for server in SERVERS:
        with gateway(server) as one:
            yield _plateau(server, one)


def _plateau(server: str, one: Gateway) -> Reading:
    count, process = size("CLIENTS", 3_000), psutil.Process(one.server.process.pid)
    sizes = [_megabytes_after_a_cut(one, count, process) for _round in range(ROUNDS)]
    print(f"connect.closes.{server}: {[round(each, 1) for each in sizes]} MB", file=sys.stderr)
    grown = (sizes[-1] - sizes[1]) * 1024 / (count * (ROUNDS - 2))
    ratios = {"second-round": sizes[-1] / sizes[1]}
    return Reading(f"connect.closes.{server}", max(grown, 0.0), "KB/cut-connection", ratios)


def _megabytes_after_a_cut(one: Gateway, count: int, process: psutil.Process) -> float:
    load = Load(one.server.port, one.path, count, subscribe("room-%d"), 60.0, burst=64, modulo=100)
    time.sleep(_SETTLE / 2)
    load.cut()
    time.sleep(_SETTLE)
    return process.memory_info().rss / 1024 / 1024
