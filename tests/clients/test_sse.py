"""Server-sent events through both servers, with real sockets."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from tests.live import Live, LiveServer, LiveTenant

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("live")]


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def server(request: pytest.FixtureRequest, live: Live) -> Iterator[LiveServer]:
    started = live.server("--server", request.param, "--drain", "0.2")
    yield started
    assert started.stop() == 0


def publish(server: LiveServer, tenant: LiveTenant, channel: str, data: str) -> None:
    body = json.dumps({"name": "e", "channel": channel, "data": data}).encode()
    address = f"{server.url}/apps/{tenant.application_id}/events"
    headers = {"Authorization": f"Bearer {tenant.api_key}"}
    urlopen(Request(address, body, headers), timeout=20).read()


def stream(server: LiveServer, tenant: LiveTenant, channel: str, last_event_id: str = "") -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    headers = {"Authorization": f"Bearer {tenant.api_key}"}
    if last_event_id:
        headers["Last-Event-ID"] = last_event_id
    connection.request("GET", f"/apps/{tenant.application_id}/sse?channels={channel}", headers=headers)
    response = connection.getresponse()
    assert response.status == 200
    return response


def event(response: http.client.HTTPResponse) -> tuple[str, dict[str, Any]]:
    """The id and data of the next message."""
    lines = [response.readline().decode().strip() for _ in range(3)]
    assert lines[2] == ""
    return lines[0].removeprefix("id: "), json.loads(lines[1].removeprefix("data: "))


def test_a_stream_is_live_and_resumes(server: LiveServer, live_tenant: LiveTenant) -> None:
    channel = f"sse-{server.port}"
    first = stream(server, live_tenant, channel)
    event(first)
    publish(server, live_tenant, channel, "1")
    last_event_id, message = event(first)
    assert message["data"] == "1"
    first.close()
    publish(server, live_tenant, channel, "2")
    again = stream(server, live_tenant, channel, last_event_id)
    assert event(again)[1]["recovered"] is True
    assert event(again)[1]["data"] == "2"
    again.close()


def test_a_stream_that_is_not_read_is_ended(server: LiveServer, live_tenant: LiveTenant) -> None:
    channel = f"slow-{server.port}"
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    slow.connect(("127.0.0.1", server.port))
    address = f"/apps/{live_tenant.application_id}/sse?channels={channel}"
    lines = ["GET " + address + " HTTP/1.1", "Host: x", f"Authorization: Bearer {live_tenant.api_key}", "", ""]
    slow.sendall("\r\n".join(lines).encode())
    quick = stream(server, live_tenant, channel)
    event(quick)
    for number in range(500):
        publish(server, live_tenant, channel, str(number).ljust(10_000))
        assert event(quick)[1]["data"].strip() == str(number)
    size, end = 0, b""
    slow.settimeout(20)
    while end != b"0\r\n\r\n" and (chunk := slow.recv(65_536)):
        size, end = size + len(chunk), (end + chunk)[-5:]
    assert size < 4_500_000, "everything was kept for a reader that did not read"
    slow.close()
    quick.close()


def token_for(tenant: LiveTenant, channel: str, lifetime: float) -> str:
    claims = {"exp": time.time() + lifetime, "channel": channel}
    return jwt.encode({"alg": "HS256", "kid": tenant.key}, claims, OctKey.import_key(tenant.secret))


def opened(
    server: LiveServer, tenant: LiveTenant, channel: str, token: str, last_event_id: str = ""
) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    connection.request("GET", f"/apps/{tenant.application_id}/sse?channels={channel}&token={token}", headers=headers)
    return connection.getresponse()


def blocks(response: http.client.HTTPResponse) -> list[dict[str, str]]:
    """The fields of every message until the end of the stream."""
    texts = response.read().decode().split("\n\n")
    return [dict(line.split(": ", 1) for line in text.split("\n") if ": " in line) for text in texts if text]


def test_a_stream_warns_before_its_token_ends_and_goes_on_with_a_new_one(
    server: LiveServer, live_tenant: LiveTenant
) -> None:
    server.switch(live_tenant, tokens=True)
    channel = f"private-sse-{server.port}"
    short = token_for(live_tenant, channel, -5)  # of the ten seconds of leeway, five are left
    first = opened(server, live_tenant, channel, short)
    assert first.status == 200
    publish(server, live_tenant, channel, "1")
    seen = blocks(first)
    events = [json.loads(block["data"]) for block in seen if "data" in block]
    assert {event["event"] for event in events} == {
        "pusher_internal:subscription_succeeded", "e", "pusher:token_expiring",
    }  # fmt: skip
    assert [event["data"] for event in events if event["event"] == "pusher:token_expiring"] == ['{"expires_in":0}']
    assert "retry" in seen[-1]
    publish(server, live_tenant, channel, "2")
    last_event_id = next(block["id"] for block in reversed(seen) if "id" in block)
    assert opened(server, live_tenant, channel, short, last_event_id).status == 401
    other = token_for(live_tenant, "private-other", 60)
    assert opened(server, live_tenant, channel, other, last_event_id).status == 401
    again = opened(server, live_tenant, channel, token_for(live_tenant, channel, 60), last_event_id)
    assert event(again)[1]["recovered"] is True
    assert event(again)[1]["data"] == "2"
    again.close()
