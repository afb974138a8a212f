"""Watchlists with unmodified pusher-js over several gateways, one of which dies."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from redis import Redis

from tests.clients.node import NodeClient
from tests.live import Live, LiveServer, LiveTenant

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("live")]

Start = Callable[..., NodeClient]


@pytest.fixture(scope="module")
def watched_tenant(live: Live, gateway: LiveServer) -> LiveTenant:
    tenant = live.tenant("Watchers")
    gateway.switch(tenant, watchlist=True)
    return tenant


def test_a_watcher_sees_users_come_and_go_also_with_a_killed_gateway(
    node_client: Start, live: Live, gateway: LiveServer, watched_tenant: LiveTenant
) -> None:
    valkey = Redis.from_url(live.valkey_url)
    ada = node_client("ada", watchlist=["bob", "eve"], tenant=watched_tenant)
    ada.connected()
    ada.do("signin")
    assert ada.expect("watched", name="offline")["users"] == ["bob", "eve"]
    before = set(valkey.keys("rt:node:*:lease"))
    doomed = live.server("--server", "uvicorn")
    bob, bobs_phone = (node_client("bob", server=doomed, tenant=watched_tenant) for _ in range(2))
    eve, eves_phone = (node_client("eve", server=server, tenant=watched_tenant) for server in (doomed, gateway))
    for client in (bob, bobs_phone, eve, eves_phone):
        client.connected()
        client.do("signin")
    assert [ada.expect("watched", name="online")["users"] for _ in range(2)] == [["bob"], ["eve"]]
    leases = set(valkey.keys("rt:node:*:lease")) - before
    doomed.kill()
    valkey.delete(*leases)  # as if fifteen seconds had gone
    assert ada.expect("watched", name="offline")["users"] == ["bob"]
    eves_phone.do("disconnect")
    assert ada.expect("watched", name="offline")["users"] == ["eve"]
    assert ada.seen("watched") == []
    valkey.close()


def test_a_watchlist_over_its_limit_is_said(node_client: Start, watched_tenant: LiveTenant) -> None:
    ada = node_client("ann", watchlist=[f"u{number}" for number in range(101)], tenant=watched_tenant)
    ada.connected()
    ada.do("signin")
    assert ada.expect("error")["error"]["code"] == 4302
    assert len(ada.expect("watched", name="offline")["users"]) == 100
