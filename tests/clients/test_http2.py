"""Streams and long polls over TLS, with HTTP/1.1 and HTTP/2, by a real client against Daphne."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pyreqwest.client import SyncClient, SyncClientBuilder
from pyreqwest.request import SyncRequestBuilder, SyncStreamRequest
from pyreqwest.response import SyncResponse

from apps.providers.counterparts.authority import Authority
from tests.live import Live, LiveServer, LiveTenant

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("live")]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def server(live: Live, authority: Authority) -> Iterator[LiveServer]:
    pem = str(authority.ca_file.with_name("server.pem"))
    started = live.server("--tls-certificate", pem, "--tls-key", pem, "--drain", "0.2")
    yield started
    assert started.stop() == 0


@pytest.fixture(params=["HTTP/1.1", "HTTP/2.0"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def trusting(server: LiveServer, authority: Authority) -> SyncClientBuilder:
    builder = SyncClientBuilder().base_url(f"https://localhost:{server.port}/").timeout(timedelta(seconds=20))
    return builder.add_root_certificate_pem(authority.ca_file.read_bytes())


@pytest.fixture
def client(version: str, server: LiveServer, authority: Authority) -> Iterator[SyncClient]:
    builder = trusting(server, authority)
    with (builder.http2(True) if version == "HTTP/2.0" else builder.http1_only()).build() as made:
        yield made


class Listener:
    """One tenant's calls by one client."""

    def __init__(self, client: SyncClient, tenant: LiveTenant) -> None:
        self._client, self._tenant = client, tenant

    def get(self, path: str) -> SyncRequestBuilder:
        return self._client.get(f"/apps/{self._tenant.application_id}{path}").bearer_auth(self._tenant.api_key)

    def stream(self, channel: str, last_event_id: str = "") -> SyncStreamRequest:
        request = self.get(f"/sse?channels={channel}").header("last-event-id", last_event_id)
        return request.streamed_read_buffer_limit(0).build_streamed()

    def publish(self, channel: str, data: str) -> None:
        request = self._client.post(f"/apps/{self._tenant.application_id}/events").bearer_auth(self._tenant.api_key)
        answer = request.body_json({"name": "e", "channel": channel, "data": data}).build().send()
        assert (answer.status, answer.json()) == (200, {})

    def poll(self, query: str) -> tuple[str, dict[str, Any]]:
        answer = self.get(f"/poll?{query}").build().send()
        assert answer.status == 200
        return answer.version, answer.json()


@pytest.fixture
def listener(client: SyncClient, live_tenant: LiveTenant) -> Listener:
    return Listener(client, live_tenant)


def events(response: SyncResponse) -> Iterator[tuple[str, dict[str, Any]]]:
    """Id and data of each message."""
    text = ""
    while chunk := response.body_reader.read_chunk():
        text += bytes(chunk).decode()
        while "\n\n" in text:
            block, _, text = text.partition("\n\n")
            first, second = block.split("\n")
            yield first.removeprefix("id: "), json.loads(second.removeprefix("data: "))


def test_a_stream_is_live_and_resumes(listener: Listener, version: str) -> None:
    channel = f"tls-{version[-3:]}"
    with listener.stream(channel) as response:
        assert (response.status, response.version) == (200, version)
        seen = events(response)
        next(seen)
        listener.publish(channel, "é" * 4_000)
        last, message = next(seen)
        assert message["data"] == "é" * 4_000
    listener.publish(channel, "2")
    with listener.stream(channel, last) as response:
        seen = events(response)
        assert next(seen)[1]["recovered"] is True
        assert next(seen)[1]["data"] == "2"


def test_long_polls_bring_everything_in_order(listener: Listener, version: str) -> None:
    channel = f"poll-{version[-3:]}"
    spoken, first = listener.poll(f"channels={channel}")
    assert spoken == version
    for number in range(5):
        listener.publish(channel, str(number))
    _, second = listener.poll(f"channels={channel}&last_event_id={first['last_event_id']}")
    assert [event["data"] for event in second["events"]] == ["0", "1", "2", "3", "4"]


def test_a_stream_whose_window_stays_shut_is_ended(
    server: LiveServer, authority: Authority, live_tenant: LiveTenant
) -> None:
    builder = trusting(server, authority).http2(True).http2_initial_stream_window_size(65_535)
    with builder.build() as client:
        listener = Listener(client, live_tenant)
        with listener.stream("shut") as slow:
            for number in range(250):
                listener.publish("shut", str(number).ljust(10_000))
            size = 0
            while chunk := slow.body_reader.read_chunk():
                size += len(chunk)
    assert size < 1_800_000, "everything was kept for a reader that did not read"


def test_websockets_over_tls_go_on_as_ever(server: LiveServer, authority: Authority, live_tenant: LiveTenant) -> None:
    context = ssl.create_default_context(cafile=str(authority.ca_file))
    with context.wrap_socket(socket.create_connection(("127.0.0.1", server.port)), server_hostname="localhost") as wire:
        wire.sendall(
            f"GET /app/{live_tenant.key}?protocol=7 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n".encode()
            + b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        text = b""
        while b"connection_established" not in text:
            text += wire.recv(4_096) or pytest.fail(repr(text))
    assert text.startswith(b"HTTP/1.1 101")
