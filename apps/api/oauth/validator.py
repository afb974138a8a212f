"""Answers oauthlib's questions from our rows. What it does not ask for client credentials is not answered here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oauthlib.common import Request
from oauthlib.oauth2 import RequestValidator

from apps.api import ratelimit
from apps.api.oauth.credentials import credentials_of
from apps.api.oauth.refusals import ClientRefused, TooManyRequests
from apps.tenants.errors import OAuthClientRevoked
from apps.tenants.queries import ClientRecord, find_oauth_client
from apps.tenants.services import keep_access_token, revoke_access_token


class ClientValidator(RequestValidator):  # type: ignore[misc]  # oauthlib has no types
    """network: where the request comes from, as limits count it."""

    def __init__(self, network: str) -> None:
        super().__init__()
        self._network = network

    def authenticate_client(self, request: Request, *args: Any, **kwargs: Any) -> bool:
        given = credentials_of(request.headers.get("Authorization", ""), request.client_id, request.client_secret)
        allowance = ratelimit.take_for_client(given.client_id, self._network)
        if allowance is not None and not allowance.allowed:
            raise TooManyRequests(allowance.next_in)
        request.client = find_oauth_client(given.client_id, given.secret)
        if request.client is None:
            raise ClientRefused
        return True

    def validate_grant_type(
        self, client_id: str, grant_type: str, client: ClientRecord, request: Request, *args: Any, **kwargs: Any
    ) -> bool:
        return client.application_enabled

    def get_default_scopes(self, client_id: str, request: Request, *args: Any, **kwargs: Any) -> list[str]:
        return sorted(request.client.scopes)

    def validate_scopes(
        self, client_id: str, scopes: Sequence[str], client: ClientRecord, request: Request, *args: Any, **kwargs: Any
    ) -> bool:
        request.scopes = sorted(set(scopes))
        return client.scopes.issuperset(scopes)

    def save_token(self, token: dict[str, Any], request: Request, *args: Any, **kwargs: Any) -> None:
        try:
            keep_access_token(client=request.client, token=token["access_token"], scopes=request.scopes)
        except OAuthClientRevoked:
            raise ClientRefused from None

    def revoke_token(self, token: str, token_type_hint: str, request: Request, *args: Any, **kwargs: Any) -> None:
        revoke_access_token(client=request.client, token=token)
