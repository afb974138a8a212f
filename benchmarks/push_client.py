"""What benchmarks/push.py measures, in a process of its own. Prints how many a second.

Usage: python -m benchmarks.push_client apns PORT | encrypt | http_ece
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import django

django.setup()

from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402  (the app registry first)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: E402

from apps.core.egress import read_url  # noqa: E402
from apps.core.encoding import to_base64url  # noqa: E402
from apps.providers.apns.requests import request_for as apns_request  # noqa: E402
from apps.providers.base import Credential, Endpoint, Notification, Push  # noqa: E402
from apps.providers.exchanges import Lane, Reply  # noqa: E402
from apps.providers.http import close_connections, exchange  # noqa: E402
from apps.providers.webpush.requests import request_for as webpush_request  # noqa: E402
from apps.providers.webpush.vapid import new_private_key  # noqa: E402
from benchmarks.push import CONNECTIONS, REQUESTS, STREAMS  # noqa: E402

_NOW = datetime(2026, 11, 23, tzinfo=UTC)
_SLICE = 2_000
_MESSAGES = 6_000


def _push(number: int, endpoint: Endpoint) -> Push:
    shown = Notification("Hello", f"Your order {number} is on its way", url="https://shop.example/")
    return Push(f"{number:032x}", f"person-{number}", shown, "msg_1", "cmp_1", _NOW, endpoint)


def apns(port: str) -> float:
    origin = f"https://127.0.0.1:{port}"
    lane = Lane("bench", origin, connections=CONNECTIONS, streams=STREAMS)
    done, started = 0, time.perf_counter()
    while done < REQUESTS:
        requests = [
            apns_request(
                _push(done + at, Endpoint("token")), Endpoint("token"), origin=origin, topic="com.example.shop",
                jwt="x" * 180, now=_NOW,
            )
            for at in range(_SLICE)
        ]  # fmt: skip
        answers = exchange(lane, requests)
        bad = [answer for answer in answers if not isinstance(answer, Reply) or answer.status != 200]
        if bad:
            raise SystemExit(f"{len(bad)} pushes were not taken: {bad[0]}")
        done += _SLICE
    rate = done / (time.perf_counter() - started)
    close_connections()
    return rate


def encrypt() -> float:
    place = read_url("https://updates.push.services.mozilla.com/wpush/v2/subscription")
    credential = Credential("pcr_1", {"private_key": new_private_key(), "subject": "mailto:push@shop.example"})
    endpoint = Endpoint(place.url, "url", public_key=_public_key(), auth_secret=to_base64url(b"a" * 16))
    return _rate(lambda at: webpush_request(_push(at, endpoint), endpoint, place, credential, now=1_795_000_000))


def http_ece() -> float:
    import http_ece as other

    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return _rate(
        lambda at: other.encrypt(
            b"x" * 300, private_key=ec.generate_private_key(ec.SECP256R1()), dh=public, auth_secret=b"a" * 16,
            version="aes128gcm",
        )
    )  # fmt: skip


def _public_key() -> str:
    point = ec.generate_private_key(ec.SECP256R1()).public_key()
    return to_base64url(point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def _rate(make: Callable[[int], object]) -> float:
    started = time.perf_counter()
    for at in range(_MESSAGES):
        make(at)
    return _MESSAGES / (time.perf_counter() - started)


if __name__ == "__main__":
    print({"apns": apns, "encrypt": encrypt, "http_ece": http_ece}[sys.argv[1]](*sys.argv[2:]))
