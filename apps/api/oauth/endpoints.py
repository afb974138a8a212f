"""`POST /api/oauth/token` and `POST /api/oauth/revoke`. oauthlib holds the protocol; errors have RFC 6749's form."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import parse_qsl

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from oauthlib.oauth2 import BearerToken, ClientCredentialsGrant, RevocationEndpoint, TokenEndpoint
from oauthlib.oauth2.rfc6749.errors import InvalidRequestError, OAuth2Error, TemporarilyUnavailableError

from apps.api.oauth.refusals import WrongMethod
from apps.api.oauth.validator import ClientValidator
from apps.api.parsing import read_body
from apps.core.addresses import client_ip, network_of
from apps.realtime.errors import BodyTooLarge
from apps.tenants.api_tokens import new_access_token
from apps.tenants.services import ACCESS_TOKEN_LIFETIME

logger = logging.getLogger(__name__)

_FORM = "application/x-www-form-urlencoded"
_MAX_BODY = 8 * 1024
_MAX_FIELDS = 20
_NOT_CACHED = {"Cache-Control": "no-store", "Pragma": "no-cache"}

Form = list[tuple[str, str]]
#: Headers, body, status.
Answer = tuple[dict[str, str], str, int]


@csrf_exempt
def token(request: HttpRequest) -> HttpResponse:
    """A token for a client's own application, for 900 seconds, with the scopes it asks for or all it has."""
    return _answered(request, _token)


@csrf_exempt
def revoke(request: HttpRequest) -> HttpResponse:
    """200 for every token, also for one that is unknown or another client's; only the caller's own is revoked."""
    return _answered(request, _revoke)


def _token(request: HttpRequest, form: Form) -> Answer:
    validator = ClientValidator(network_of(client_ip(request)))
    bearer = BearerToken(
        validator,
        token_generator=lambda _request: new_access_token(),
        expires_in=int(ACCESS_TOKEN_LIFETIME.total_seconds()),
    )
    grant = ClientCredentialsGrant(validator)
    endpoint = TokenEndpoint("client_credentials", bearer, {"client_credentials": grant})
    answer: Answer = endpoint.create_token_response(request.path, "POST", form, _headers(request))
    return answer


def _revoke(request: HttpRequest, form: Form) -> Answer:
    endpoint = RevocationEndpoint(ClientValidator(network_of(client_ip(request))))
    answer: Answer = endpoint.create_revocation_response(request.path, "POST", form, _headers(request))
    return answer


def _headers(request: HttpRequest) -> dict[str, str]:
    return {"Authorization": request.headers.get("Authorization", "")}


def _answered(request: HttpRequest, answer: Callable[[HttpRequest, Form], Answer]) -> HttpResponse:
    try:
        headers, body, status = answer(request, _form_of(request))
    except OAuth2Error as error:
        headers, body, status = error.headers, error.json, error.status_code
    except (DatabaseError, InterfaceError) as error:
        logger.warning("oauth.unavailable", exc_info=error)
        unavailable = TemporarilyUnavailableError(status_code=503)
        headers, body, status = {"Retry-After": "1"}, unavailable.json, unavailable.status_code
    return HttpResponse(body, status=status, headers={"Content-Type": "application/json", **headers, **_NOT_CACHED})


def _form_of(request: HttpRequest) -> Form:
    """The fields that have a value, each given once (RFC 6749, section 3.2). Raises OAuth2Error."""
    if request.method != "POST":
        raise WrongMethod
    if request.META.get("QUERY_STRING"):
        raise InvalidRequestError("Send the parameters in the body.")
    if request.content_type != _FORM:
        raise InvalidRequestError(f"The body must be {_FORM}.")
    try:
        fields = parse_qsl(_body_of(request).decode("ascii"), max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError:
        raise InvalidRequestError("The body cannot be read.") from None
    if len(dict(fields)) != len(fields):
        raise InvalidRequestError("A parameter is given more than once.")
    return fields


def _body_of(request: HttpRequest) -> bytes:
    with suppress(BodyTooLarge):
        body = read_body(request)
        if len(body) <= _MAX_BODY:
            return body
    raise InvalidRequestError("The body is too large.", status_code=413)
