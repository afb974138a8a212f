"""campaign.rate, campaign.memory, campaign.linear, plan.rate, stop.latency: a personalised campaign, ledger on, fsync.

The rate runs from the start of the campaign to its last outcome. BENCH_PEOPLE: how many there are (40,000; the figures
of the requirement are taken at 1,000,000, and at a tenth of it beside).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator

from benchmarks.campaign_bench import Bench, product
from benchmarks.registry import Reading, figure

PEOPLE = int(os.environ.get("BENCH_PEOPLE", "40000"))


@figure("campaign.rate")
def rate() -> Iterator[Reading]:
    with product(PEOPLE) as bench:
        run = bench.send()
        ratios = {"one-by-one": run.rate / bench.one_by_one(), "bare-publish": run.rate / bench.bare_publish()}
    yield Reading("campaign.rate", run.rate, "recipients/s", ratios)


@figure("campaign.linear")
def linear_and_memory() -> Iterator[Reading]:
    """Both figures of one pair of runs. The time of a recipient in the large run is told in per cent of the small."""
    with product(PEOPLE // 10) as bench:
        small = bench.send()
    with product(PEOPLE) as bench:
        large = bench.send()
    print(f"  {small.rate:,.0f} and {large.rate:,.0f} recipients/s", file=sys.stderr)
    per_recipient = small.rate / large.rate
    yield Reading("campaign.linear", 100 * per_recipient, "%", {"a-tenth-of-it": per_recipient})
    yield Reading("campaign.memory", large.megabytes, "MB", {"a-tenth-of-it": large.megabytes / small.megabytes})


@figure("campaign.memory")
def memory() -> Iterator[Reading]:
    yield from list(linear_and_memory())[1:]


@figure("plan.rate")
def planning() -> Iterator[Reading]:
    """Audience to ledger rows, by one worker process. Beside it: the same rows written by one INSERT … SELECT."""
    with product(PEOPLE) as bench:
        bench.start()
        seconds = float(bench.inside("plan"))
        planned = _count(bench, "state = 'planned'")
        assert planned == PEOPLE, planned
        bare = _bare_insert(bench)
    yield Reading("plan.rate", PEOPLE / seconds, "rows/s", {"bare-INSERT": bare / seconds})


@figure("stop.latency")
def stopping() -> Iterator[Reading]:
    """From the request to pause until the last byte left for anybody. Beside it: the naive stop, which rewrites what is
    still to be sent."""
    with product(PEOPLE) as bench, bench.workers():
        campaign = bench.start()
        while not _count(bench, "state = 'accepted'"):
            time.sleep(0.1)
        asked = _now(bench)
        bench.call("POST", f"campaigns/{campaign}/pause")
        time.sleep(3)
        last = bench.admin.execute(
            "SELECT extract(epoch FROM greatest(max(attempted_at), max(recorded_at))) FROM messaging_delivery"
        ).fetchone()
        assert last is not None
        waiting = _count(bench, "state = 'planned'")
        assert waiting, "everything was sent before the pause: take more people"
        milliseconds = max(0.0, float(last[0]) - asked) * 1_000
        rewritten = _rewrite(bench) * 1_000
    yield Reading("stop.latency", milliseconds, "ms", {"rewriting-what-waits": milliseconds / rewritten})


def _count(bench: Bench, condition: str) -> int:
    row = bench.admin.execute(f"SELECT count(*) FROM messaging_delivery WHERE {condition}").fetchone()
    assert row is not None
    return int(row[0])


def _now(bench: Bench) -> float:
    row = bench.admin.execute("SELECT extract(epoch FROM clock_timestamp())").fetchone()
    assert row is not None
    return float(row[0])


def _bare_insert(bench: Bench) -> float:
    """Seconds."""
    bench.admin.execute("CREATE TABLE bare (LIKE messaging_delivery INCLUDING INDEXES)")
    started = time.perf_counter()
    bench.admin.execute("INSERT INTO bare SELECT * FROM messaging_delivery")
    return time.perf_counter() - started


def _rewrite(bench: Bench) -> float:
    """Seconds."""
    started = time.perf_counter()
    bench.admin.execute("UPDATE messaging_delivery SET state = 'suppressed', reason = 'x' WHERE state = 'planned'")
    return time.perf_counter() - started
