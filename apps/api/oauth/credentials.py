"""How a client says who it is: HTTP Basic or fields of the form, never both (RFC 6749, section 2.3). Pure."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from urllib.parse import unquote_plus

from oauthlib.oauth2.rfc6749.errors import InvalidRequestError

from apps.api.oauth.refusals import ClientRefused


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    client_id: str
    secret: str

    def __repr__(self) -> str:
        return f"ClientCredentials({self.client_id})"


def credentials_of(authorization: str, client_id: str | None, client_secret: str | None) -> ClientCredentials:
    """authorization: the header, or empty. client_id, client_secret: of the form.

    Raises ClientRefused when there are none, InvalidRequestError when they contradict each other.
    """
    if not authorization:
        if not client_id or not client_secret:
            raise ClientRefused
        return ClientCredentials(client_id, client_secret)
    given = _from_basic(authorization)
    if client_secret is not None or client_id not in (None, given.client_id):
        raise InvalidRequestError("Authenticate in one way only: HTTP Basic, or fields of the form.")
    return given


def _from_basic(authorization: str) -> ClientCredentials:
    scheme, _space, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise ClientRefused
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        raise ClientRefused from None
    client_id, _colon, secret = text.partition(":")
    return ClientCredentials(unquote_plus(client_id), unquote_plus(secret))
