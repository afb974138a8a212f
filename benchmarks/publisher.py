"""Publishes over HTTP as fast as the server answers, on a few kept-alive connections.

`python -m benchmarks.publisher URL APPLICATION KEY SECRET SECONDS`
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import sys
import threading
import time
from urllib.parse import urlsplit

from tests.live import LiveTenant

CHANNEL, EVENT, SIZE, CONNECTIONS = "bench", "e", 128, 4
BODY = json.dumps({"name": EVENT, "channel": CHANNEL, "data": "x" * SIZE}).encode()


def signed_path(app_id: str, key: str, secret: str, body: bytes = BODY) -> str:
    path, digest = f"/apps/{app_id}/events", hashlib.md5(body).hexdigest()
    query = f"auth_key={key}&auth_timestamp={int(time.time())}&auth_version=1.0&body_md5={digest}"
    signature = hmac.new(secret.encode(), f"POST\n{path}\n{query}".encode(), "sha256").hexdigest()
    return f"{path}?{query}&auth_signature={signature}"


class Publisher:
    """One kept-alive connection that publishes whatever it is given."""

    def __init__(self, url: str, tenant: LiveTenant) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        self._tenant = tenant

    def publish(self, event: dict[str, object]) -> None:
        body, tenant = json.dumps(event).encode(), self._tenant
        post(self._connection, signed_path(tenant.application_id, tenant.key, tenant.secret, body), body)


def post(connection: http.client.HTTPConnection, path: str, body: bytes) -> None:
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise SystemExit(f"{answer.status} {text!r}")


def publish(url: str, path: str, until: float) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    while time.monotonic() < until:
        post(connection, path, BODY)


def main(url: str, app_id: str, key: str, secret: str, seconds: str) -> None:
    until, path = time.monotonic() + float(seconds), signed_path(app_id, key, secret)
    threads = [threading.Thread(target=publish, args=(url, path, until)) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:6])
