"""resume.storm: the gateway is killed, and its clients come back at once, each with 20 publications missing."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from redis import Redis

from apps.realtime import keys
from benchmarks.gateway import SERVERS, Gateway, gateway, publish_once, size, subscribe
from benchmarks.product import started_server
from benchmarks.publisher import EVENT, SIZE, Publisher
from benchmarks.registry import Reading, figure
from benchmarks.rulers import Load, cpu_seconds

MISSED, CHANNELS, EPOCH = 20, 100, "bench"
#: After the last handshake; all must have everything by then.
_PATIENCE = 12.0


@figure("resume.storm")
def storm() -> Iterator[Reading]:
    for server in SERVERS:
        with gateway(server) as one:
            yield _storm(server, one)


def _storm(server: str, one: Gateway) -> Reading:
    clients = size("CLIENTS", 10_000)
    _number_from_one_epoch(one)
    load = Load(
        one.server.port, one.path, clients, subscribe("storm-%d", position=True), 2.0, modulo=CHANNELS, burst=64
    )
    load.result()
    one.server.kill()
    _publish_meanwhile(one, server)
    back = started_server(one.live, "--server", server)
    publish_once(back, one.tenant)
    before = cpu_seconds(back.process)
    first = subscribe("storm-%d", position={"epoch": EPOCH, "offset": 0})
    counted = Load(
        back.port, one.path, clients, first, _PATIENCE, modulo=CHANNELS, burst=256, needle='"recovered":true'
    ).result()
    used = cpu_seconds(back.process) - before
    print(f"resume.storm.{server}: {counted['last_after']:.1f} s, {used:.1f} s of CPU", file=sys.stderr)
    assert counted["needles"] == clients, f"{counted['needles']:.0f} of {clients} recovered"
    assert counted["fewest"] == counted["most"] == MISSED + 2, "somebody lacks something, or has it twice"
    ratios = {"all-recovered": counted["needles"] / clients, "CPU-seconds": used}
    return Reading(f"resume.storm.{server}", counted["last_after"], "seconds", ratios)


def _number_from_one_epoch(one: Gateway) -> None:
    """So that every client can name the place where it stood, which it would otherwise have read from its ack."""
    with Redis.from_url(one.live.valkey_url) as client:
        for each in range(CHANNELS):
            client.hset(keys.meta(one.tenant.application_id, f"storm-{each}"), mapping={"e": EPOCH, "o": 0})


def _publish_meanwhile(one: Gateway, server: str) -> None:
    elsewhere = started_server(one.live, "--server", server)
    publisher = Publisher(elsewhere.url, one.tenant)
    names = [f"storm-{each}" for each in range(CHANNELS)]
    for _each in range(MISSED):
        publisher.publish({"name": EVENT, "channels": names, "data": "x" * SIZE})
    elsewhere.stop()
