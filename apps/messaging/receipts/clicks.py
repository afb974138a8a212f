"""Links that note a click and lead on. Pure but for keys.

`/c/<token>?u=<address>&s=<signature>`: the signature binds the address to the token of the push, so that the link leads
nowhere but where its sender wanted, and a token cannot be given another address.
"""

from __future__ import annotations

import hmac
from urllib.parse import quote

from apps.messaging.receipts.tokens import read_token, sign_for

_SCHEMES = ("https://", "http://")


def tracked(base: str, tenant_id: int, token: str, address: str) -> str:
    """The link for an address of the web; any other address (an app's own scheme) as it is. base: our public URL."""
    if not address.startswith(_SCHEMES):
        return address
    return f"{base}/c/{token}?u={quote(address, safe=':/,;@')}&s={_signature(tenant_id, token, address)}"


def target_of(token: str, address: str, signature: str) -> str | None:
    """The address, or None when this is not a link of ours."""
    sent = read_token(token)
    if sent is None or not address.startswith(_SCHEMES) or not signature.isascii():
        return None
    return address if hmac.compare_digest(signature, _signature(sent.tenant_id, token, address)) else None


def _signature(tenant_id: int, token: str, address: str) -> str:
    return sign_for(tenant_id, f"{token} {address}")
