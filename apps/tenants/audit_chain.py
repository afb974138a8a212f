"""The arithmetic of the audit chain. Pure: `hash = SHA-256(previous hash, canonical JSON of the entry)`.

Canonical means sorted ASCII keys and no spaces, as RFC 8785 writes such objects; numbers are whole, so that no
database or language writes them in another way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

GENESIS = "0" * 64


def entry_hash(
    previous_hash: str, *, tenant_id: int, at: datetime, actor: str, action: str, target: str, facts: Mapping[str, Any]
) -> str:
    entry = {
        "tenant": tenant_id,
        "at": at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": actor,
        "action": action,
        "target": target,
        "facts": facts,
    }
    text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(f"{previous_hash}{text}".encode()).hexdigest()
