"""Where a payment processor tells what happened. Its signature proves who asks, so there is no session and no CSRF."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.billing.errors import BadNotice, ProcessorUnavailable
from apps.billing.services.paying import take_notice

#: Far more than any notice holds.
_MOST_BYTES = 256 * 1024


@csrf_exempt
@require_POST
def notice(request: HttpRequest) -> HttpResponse:
    """200 when it was taken or known, 400 when it is not genuine, 503 when it must be sent again."""
    if int(request.headers.get("Content-Length") or 0) > _MOST_BYTES:
        return JsonResponse({"code": BadNotice.code}, status=413)
    try:
        take_notice(body=request.body, headers=request.headers)
    except BadNotice:
        return JsonResponse({"code": BadNotice.code}, status=400)
    except ProcessorUnavailable:
        return JsonResponse({"code": ProcessorUnavailable.code}, status=503)
    return JsonResponse({"taken": True})
