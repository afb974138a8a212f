"""`POST /r`: receipts by the token of a push; `POST /r/<vendor>`: as a phone maker reports them.

`GET /c/<token>`: a link that notes the click and leads on.
"""

from __future__ import annotations

import logging
from typing import Any

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from apps.api.client.door import body_of, bytes_of, client_door
from apps.api.errors import InvalidBatch
from apps.api.v1.receipts import as_told
from apps.core.errors import NotFound
from apps.messaging.receipts.clicks import target_of
from apps.messaging.receipts.meaning import Kind
from apps.messaging.services import record_signed_reports
from apps.messaging.services.receipts import MAX_RECEIPTS
from apps.providers.vendors.callbacks import VENDORS, reports_in

logger = logging.getLogger(__name__)

#: A phone that was offline for long sends its backlog in several calls.
MAX_REPORTS, _MAX_BODY = 100, 64 * 1024
#: Phone makers collect reports for a second or so.
_MAX_VENDOR_BODY = 2 * 1024 * 1024


def _report(request: HttpRequest) -> dict[str, Any]:
    body = body_of(request, limit=_MAX_BODY)
    reports = body.get("receipts") if isinstance(body, dict) and "receipts" in body else [body]
    if not isinstance(reports, list) or not 0 < len(reports) <= MAX_REPORTS:
        raise InvalidBatch(details={"limit": MAX_REPORTS})
    return as_told(record_signed_reports(reports=reports))


def _vendor_reports(request: HttpRequest, vendor: str) -> dict[str, Any]:
    """What a phone maker tells. It gets a good answer whatever is in it: it would send the same again."""
    if vendor not in VENDORS:
        raise NotFound
    body = bytes_of(request, limit=_MAX_VENDOR_BODY)
    reports = reports_in(vendor, body)
    for at in range(0, len(reports), MAX_RECEIPTS):
        record_signed_reports(reports=reports[at : at + MAX_RECEIPTS])
    return {"code": "0", "message": "success"}


def _follow(request: HttpRequest, token: str) -> HttpResponse:
    """Only where the link was signed for: whoever changes it gets 404. A look ahead is no click."""
    button = request.GET.get("b", "")
    target = target_of(token, request.GET.get("u", ""), request.GET.get("s", ""), button)
    if target is None:
        raise NotFound
    purpose = request.headers.get("Sec-Purpose", request.headers.get("Purpose", ""))
    if request.method == "GET" and "prefetch" not in purpose:
        _note_click(token, button)
    return HttpResponseRedirect(target, headers={"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"})


def _note_click(token: str, button: str) -> None:
    """A database that is away must not keep anybody from where they want to go."""
    try:
        record_signed_reports(reports=[{"token": token, "kind": Kind.CLICKED.value, "button": button}])
    except (DatabaseError, InterfaceError):
        logger.warning("click.lost", exc_info=True)


report = client_door(POST=_report)
vendor_reports = client_door(POST=_vendor_reports)
follow = client_door(GET=_follow, HEAD=_follow)
