"""A tenant's own server that takes webhooks: it verifies as Standard Webhooks says and keeps what it took."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any

from apps.providers.counterparts.server import Incoming, Outgoing

SECRET = "whsec_" + base64.b64encode(b"the secret of a local stand-in").decode()
_TOLERANCE = 300


@dataclass(slots=True)
class ReceiverService:
    """taken: (application, data) of what was believed, in order. Addresses are `/push/APPLICATION`."""

    allows_one_stream_first: bool = False
    taken: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def take(self, incoming: Incoming) -> Outgoing:
        if not _is_signed(incoming):
            return Outgoing(401)
        self.taken.append((incoming.path.removeprefix("/push/"), json.loads(incoming.body)["data"]))
        return Outgoing(204)


def _is_signed(incoming: Incoming) -> bool:
    id, sent_at = (incoming.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp"))
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    wanted = base64.b64encode(hmac.digest(key, f"{id}.{sent_at}.".encode() + incoming.body, hashlib.sha256)).decode()
    given = incoming.headers.get("webhook-signature", "").split()
    fresh = sent_at.isdecimal() and abs(time.time() - int(sent_at)) < _TOLERANCE
    return fresh and any(hmac.compare_digest(one, f"v1,{wanted}") for one in given)
