"""What others send to nghttpd in the same way as push.apns does. Prints how many a second.

Usage: python -m benchmarks.push_peers aioapns|httpx PORT DIRECTORY
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
from aioapns import APNs, NotificationRequest
from aioapns.common import NotificationResult
from aioapns.connection import APNsProductionClientProtocol
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from benchmarks.push import CONNECTIONS, STREAMS

REQUESTS = 4_000
_MESSAGE = {"aps": {"alert": {"title": "Hello", "body": "Your order is on its way"}, "sound": "default"}}


class _ByStream(APNsProductionClientProtocol):
    """aioapns tells answers apart by `apns-id`, which Apple sends back and nghttpd does not; here by their stream. Nor
    does it expect the empty body that nghttpd answers with."""

    APNS_SERVER = "127.0.0.1"

    def on_response_received(self, headers: dict[bytes, bytes]) -> None:
        assert headers[b":status"] == b"200", headers

    def on_data_received(self, raw_data: bytes, stream_id: int) -> None:
        assert not raw_data, raw_data

    def on_stream_ended(self, stream_id: int) -> None:
        super().on_stream_ended(stream_id)
        identity = self.request_streams.pop(stream_id)
        self.requests.pop(identity).set_result(NotificationResult(identity, "200"))


async def _aioapns(port: str, trusted: ssl.SSLContext) -> float:
    """Its own pool, tokens and payloads, pointed at our server."""
    _ByStream.APNS_PORT = int(port)
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    client = APNs(
        key=pem, key_id="BENCHKEY01", team_id="BENCHTEAM1", topic="com.example.shop", max_connections=CONNECTIONS,
        ssl_context=trusted,
    )  # fmt: skip
    client.pool.protocol_class = _ByStream

    async def send() -> None:
        result = await client.send_notification(NotificationRequest(device_token="token", message=_MESSAGE))
        assert result.is_successful, result.description

    return await _rate(send)


async def _httpx(port: str, trusted: ssl.SSLContext) -> float:
    url = f"https://127.0.0.1:{port}/3/device/token"
    headers = {"authorization": "bearer " + "x" * 180, "apns-topic": "com.example.shop", "apns-push-type": "alert"}
    async with httpx.AsyncClient(http2=True, verify=trusted, timeout=60, trust_env=False) as client:

        async def send() -> None:
            answer = await client.post(url, headers=headers, json=_MESSAGE)
            assert answer.status_code == 200, answer.status_code

        return await _rate(send)


async def _rate(send: Callable[[], Awaitable[None]]) -> float:
    left = iter(range(REQUESTS))

    async def work() -> None:
        for _number in left:
            await send()

    started = time.perf_counter()
    await asyncio.gather(*(work() for _stream in range(CONNECTIONS * STREAMS // 4)))
    return REQUESTS / (time.perf_counter() - started)


if __name__ == "__main__":
    trusted = ssl.create_default_context(cafile=str(Path(sys.argv[3]) / "ca.pem"))
    trusted.set_alpn_protocols(["h2"])
    print(asyncio.run({"aioapns": _aioapns, "httpx": _httpx}[sys.argv[1]](sys.argv[2], trusted)))
