"""Links that note a click and lead on. Pure but for keys.

`/c/<token>?u=<address>&s=<signature>`, of a button with `&b=<its name>`: the signature binds the address and the name
to the token of the push, so that the link leads nowhere but where its sender wanted, and a token cannot be given
another.
"""

from __future__ import annotations

import hmac
from urllib.parse import quote

from apps.messaging.receipts.tokens import read_token, sign_for

_SCHEMES = ("https://", "http://")


def tracked(base: str, tenant_id: int, token: str, address: str, *, button: str = "") -> str:
    """The link for an address of the web; any other address (an app's own scheme) as it is. base: our public URL.
    button: the name of the one whose link it is."""
    if not address.startswith(_SCHEMES):
        return address
    name = f"&b={button}" if button else ""
    signature = _signature(tenant_id, token, address, button)
    return f"{base}/c/{token}?u={quote(address, safe=':/,;@')}{name}&s={signature}"


def target_of(token: str, address: str, signature: str, button: str = "") -> str | None:
    """The address, or None when this is not a link of ours."""
    sent = read_token(token)
    if sent is None or not address.startswith(_SCHEMES) or not signature.isascii():
        return None
    return address if hmac.compare_digest(signature, _signature(sent.tenant_id, token, address, button)) else None


def _signature(tenant_id: int, token: str, address: str, button: str) -> str:
    """A name stands before the token, which has no space: no address can be mistaken for it."""
    return sign_for(tenant_id, f"{button} {token} {address}" if button else f"{token} {address}")
