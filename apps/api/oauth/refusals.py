"""Errors of the OAuth endpoints that oauthlib has no words for. They answer in RFC 6749's form, not as problems."""

from __future__ import annotations

from http import HTTPStatus

from oauthlib.oauth2.rfc6749.errors import InvalidClientError, InvalidRequestError, OAuth2Error


class ClientRefused(InvalidClientError):  # type: ignore[misc]  # oauthlib has no types
    """Unknown, revoked or with a wrong secret: the same for each reason."""

    description = "Client authentication failed."

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": 'Basic realm="pushsaas"'}


class WrongMethod(InvalidRequestError):  # type: ignore[misc]
    description = "Send a POST request."
    status_code = HTTPStatus.METHOD_NOT_ALLOWED

    @property
    def headers(self) -> dict[str, str]:
        return {"Allow": "POST"}


class TooManyRequests(OAuth2Error):  # type: ignore[misc]
    error = "temporarily_unavailable"
    description = "Too many requests. Use a token until it expires."
    status_code = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = max(1, retry_after)

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after)}
