"""What somebody sees whom django-axes has locked out (`AXES_LOCKOUT_CALLABLE`)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from apps.accounts.errors import TooManyGuesses
from apps.dashboard.failures import error_page


def locked_out(
    request: HttpRequest, _original: HttpResponse | None, _credentials: dict[str, Any] | None
) -> HttpResponse:
    """The same for an address with and without an account."""
    seconds = int(settings.AXES_COOLOFF_TIME.total_seconds())
    response = error_page(request, TooManyGuesses(retry_after=seconds))
    response["Retry-After"] = str(seconds)
    return response
