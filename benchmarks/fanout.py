"""fanout.daphne, fanout.uvicorn: one channel, 1,000 subscribers, 128 bytes published over HTTP, gateway on one core."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from functools import lru_cache

from apps.realtime.protocol import messages
from benchmarks import publisher, rulers
from benchmarks.product import running
from benchmarks.registry import Reading, figure
from benchmarks.rulers import LOAD_CORE, SERVER_CORE, Load
from tests.live import ROOT, free_port

SUBSCRIBERS, SECONDS = 1_000, 4.0
SUBSCRIBE = json.dumps({"event": "pusher:subscribe", "data": {"channel": publisher.CHANNEL}})
#: The frame's payload: the event message around 128 bytes of data.
PAYLOAD = len(messages.event(publisher.EVENT, "x" * publisher.SIZE, publisher.CHANNEL))
_WS_MODULE = ROOT / "tests" / "clients" / "node_modules" / "ws"


@figure("fanout.daphne")
def daphne() -> Iterator[Reading]:
    yield _fanout("daphne")


@figure("fanout.uvicorn")
def uvicorn() -> Iterator[Reading]:
    yield _fanout("uvicorn")


def _fanout(server: str) -> Reading:
    rate = _ours(server)
    ratios = {"sendlimit": rate / rulers.send_limit(free_port(), SUBSCRIBERS, PAYLOAD, SECONDS)}
    ratios["stock-channels"] = rate / _stock_channels()
    if shutil.which("node") and _WS_MODULE.exists():
        ratios["node-ws"] = rate / _node_ws()
    return Reading(f"fanout.{server}", rate, "frames/cpu-second", ratios)


def _ours(server: str) -> float:
    with running("--server", server) as (_, process, tenant):
        # The application is looked up, and the server warm, before anything is measured.
        load = Load(process.port, f"/app/{tenant.key}?protocol=7", SUBSCRIBERS, SUBSCRIBE, SECONDS)
        arguments = [process.url, tenant.application_id, tenant.key, tenant.secret, str(SECONDS)]
        publishing = rulers.started(LOAD_CORE, [sys.executable, "-m", "benchmarks.publisher", *arguments], cwd=ROOT)
        rate = load.rate(process.process)
        publishing.wait()
        return rate


@lru_cache(maxsize=1)
def _stock_channels() -> float:
    with running() as (live, ours, _):
        ours.stop()
        port, environment = free_port(), {**os.environ, "BENCH_VALKEY_URL": live.valkey_url}
        module = "benchmarks.peers.stock_channels"
        command = [
            sys.executable,
            "-m",
            "daphne",
            "-v",
            "0",
            "-p",
            str(port),
            "-b",
            "127.0.0.1",
            f"{module}:application",
        ]
        server = rulers.started(SERVER_CORE, command, cwd=ROOT, env=environment)
        try:
            rulers.wait_for(port)
            load = Load(port, "/", SUBSCRIBERS, "", SECONDS)
            publish = [sys.executable, "-m", module, "x" * PAYLOAD, str(SECONDS)]
            publishing = rulers.started(LOAD_CORE, publish, cwd=ROOT, env=environment)
            rate = load.rate(server)
            publishing.wait()
        finally:
            server.kill()
            server.wait()
    return rate


@lru_cache(maxsize=1)
def _node_ws() -> float:
    port, environment = free_port(), {**os.environ, "BENCH_WS_MODULE": str(_WS_MODULE)}
    script = rulers.HERE / "peers" / "ws_broadcast.cjs"
    command = ["node", script, str(port), str(SUBSCRIBERS), str(PAYLOAD)]
    server = rulers.started(SERVER_CORE, command, env=environment)
    try:
        rulers.wait_for(port)
        return Load(port, "/", SUBSCRIBERS, "", SECONDS).rate(server)
    finally:
        server.kill()
        server.wait()
