"""One gateway on the server's core with the limits out of the way, and what the realtime figures share."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.request import Request, urlopen

from redis import Redis

from apps.realtime import allowances
from benchmarks import publisher
from benchmarks.product import running
from tests.live import Live, LiveServer, LiveTenant

SERVERS = ("uvicorn", "daphne")
_PLENTY = 10**12


@dataclass(frozen=True, slots=True)
class Gateway:
    live: Live
    server: LiveServer
    tenant: LiveTenant

    @property
    def path(self) -> str:
        return f"/app/{self.tenant.key}?protocol=7"

    def another_tenant(self) -> LiveTenant:
        tenant = self.live.tenant("Other")
        lift_limits(self.live, self.server, tenant)
        return tenant


@contextmanager
def gateway(server: str) -> Iterator[Gateway]:
    with running("--server", server) as (live, process, tenant):
        lift_limits(live, process, tenant)
        yield Gateway(live, process, tenant)


def lift_limits(live: Live, server: LiveServer, tenant: LiveTenant) -> None:
    """The tenant may connect and publish as much as it can. Warms the server up, too."""
    server.switch(tenant, max_connections=1_000_000, max_publishes_per_second=100_000)
    publish_once(server, tenant)
    with Redis.from_url(live.valkey_url) as client:
        for tenant_pk in allowances.asked(client):
            allowances.offer(client, tenant_pk, messages=_PLENTY)


def publish_once(server: LiveServer, tenant: LiveTenant) -> None:
    path = publisher.signed_path(tenant.application_id, tenant.key, tenant.secret)
    with urlopen(Request(server.url + path, publisher.BODY, {"Content-Type": "application/json"}), timeout=20):
        pass


def subscribe(channel: str, **more: object) -> str:
    return json.dumps({"event": "pusher:subscribe", "data": {"channel": channel, **more}})


def size(name: str, otherwise: int) -> int:
    """A size that BENCH_… in the environment may change."""
    return int(os.environ.get(f"BENCH_{name}", str(otherwise)))
