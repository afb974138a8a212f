"""What a session has proved beyond the password. Doors ask here; proving is `apps.accounts.services.factors`.

A person who has an authenticator is not signed in before giving its code, so `request.user` alone already means both.
`is_verified` answers the question of roles that need a factor, `is_fresh` that of dangerous actions (step-up).
"""

from __future__ import annotations

import time
from datetime import timedelta

from django.http import HttpRequest
from django_otp import DEVICE_ID_SESSION_KEY, user_has_device
from django_otp import login as otp_login
from django_otp.middleware import is_verified as otp_verified

from apps.accounts.models import Authenticator, User

#: How long a proof opens dangerous actions.
FRESH_FOR = timedelta(minutes=5)
PROVED_KEY = "proved_at"


def has_factor(user: User) -> bool:
    return bool(user_has_device(user))


def is_verified(request: HttpRequest) -> bool:
    """Whether this session gave a second factor that the person still has."""
    return bool(request.user.is_authenticated and otp_verified(request.user))


def is_fresh(request: HttpRequest) -> bool:
    """Whether the person proved themselves within the last five minutes, by the strongest means they have."""
    proved_at = request.session.get(PROVED_KEY, 0)
    return bool(request.user.is_authenticated and 0 <= time.time() - proved_at <= FRESH_FOR.total_seconds())


def note_code(request: HttpRequest, authenticator: Authenticator) -> None:
    """An authenticator's code was right: the session is verified and fresh."""
    otp_login(request, authenticator)
    request.session[PROVED_KEY] = time.time()


def note_recovery(request: HttpRequest, authenticator: Authenticator) -> None:
    """A recovery code stood in for the authenticator: verified, but never fresh."""
    otp_login(request, authenticator)
    request.session.pop(PROVED_KEY, None)


def note_password(request: HttpRequest) -> None:
    """The password was right. For somebody without an authenticator there is nothing stronger to ask."""
    request.session[PROVED_KEY] = time.time()


def forget(request: HttpRequest) -> None:
    """The person's last factor is gone, and what it proved with it."""
    request.session.pop(DEVICE_ID_SESSION_KEY, None)
    request.session.pop(PROVED_KEY, None)
