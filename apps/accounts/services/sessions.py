"""Being signed in: beginning, proving, ending. The only place that calls Django's login."""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.contrib.auth import authenticate, login, logout
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.accounts import mfa, throttling
from apps.accounts.errors import WrongCredentials, WrongPassword
from apps.accounts.models import Authenticator, Session, User
from apps.accounts.session_store import IP_KEY, SIGNED_IN_KEY, USER_AGENT_KEY, hash_key
from apps.core.addresses import client_ip, network_of
from apps.core.errors import NotFound

_BACKEND = "django.contrib.auth.backends.ModelBackend"
_PENDING_KEY = "pending_sign_in"
_PENDING_SECONDS = 600


@dataclass(frozen=True, slots=True)
class OpenSession:
    """One line of a person's own list. is_current: the browser that asks."""

    session: Session
    is_current: bool


def check_password(request: HttpRequest, *, email: str, password: str) -> User:
    """The active person with this address and password. Raises WrongCredentials, TooManyGuesses.

    Unknown addresses cost the same hashing and count the same (django-axes, per address and IP), so neither the answer
    nor its time tells them apart. When axes has locked the pair, its lock-out page replaces the answer.
    """
    throttling.spend(throttling.SIGN_INS, network_of(client_ip(request)))
    user = authenticate(request, username=email.lower(), password=password)
    if not isinstance(user, User):
        raise WrongCredentials
    return user


def confirm_password(request: HttpRequest, *, user: User, password: str) -> None:
    """The same question to somebody known, under the same limits. Raises WrongPassword, TooManyGuesses."""
    try:
        check_password(request, email=user.email, password=password)
    except WrongCredentials:
        raise WrongPassword from None


def begin_sign_in(request: HttpRequest, *, user: User) -> bool:
    """After the right password: signs in and returns True, or returns False when a second factor is still owed.

    Until that is given nobody is signed in: the session only notes who may answer for ten minutes.
    """
    if not mfa.has_factor(user):
        sign_in(request, user=user)
        return True
    request.session.flush()
    request.session[_PENDING_KEY] = {"user": user.pk, "at": time.time(), "hash": user.get_session_auth_hash()}
    return False


def pending_user(request: HttpRequest) -> User | None:
    """Who gave the right password and still owes a factor. A changed password ends that too."""
    pending = request.session.get(_PENDING_KEY)
    if pending is None or not 0 <= time.time() - pending["at"] <= _PENDING_SECONDS:
        return None
    user = User.objects.filter(pk=pending["user"], is_active=True).first()
    return user if user is not None and user.get_session_auth_hash() == pending["hash"] else None


def sign_in(request: HttpRequest, *, user: User) -> None:
    """Starts the person's session under a new key."""
    request.session.pop(_PENDING_KEY, None)
    login(request, user, backend=_BACKEND)
    request.session[SIGNED_IN_KEY] = time.time()
    request.session[IP_KEY] = client_ip(request)
    request.session[USER_AGENT_KEY] = request.META.get("HTTP_USER_AGENT", "")[:200]
    mfa.note_password(request)


def prove_again(request: HttpRequest, *, authenticator: Authenticator | None = None, recovery: bool = False) -> None:
    """Notes what the signed-in person just proved, under a new session key.

    authenticator: whose code was right; None: it was the password of somebody without one. recovery: a recovery code
    stood in for the authenticator.
    """
    request.session.cycle_key()
    if authenticator is None:
        mfa.note_password(request)
    elif recovery:
        mfa.note_recovery(request, authenticator)
    else:
        mfa.note_code(request, authenticator)


def sign_out(request: HttpRequest) -> None:
    logout(request)


def open_sessions(request: HttpRequest, *, user: User) -> list[OpenSession]:
    """The person's live sessions, the last seen first."""
    current = _current_hash(request)
    rows: QuerySet[Session] = Session.objects.alive().filter(user=user).order_by("-last_seen_at", "-pk")
    return [OpenSession(row, row.key_hash == current) for row in rows]


def end_session(*, user: User, public_id: str) -> None:
    """Raises NotFound, for somebody else's session too."""
    deleted, _per_model = Session.objects.filter(user=user, pk=Session.number_of(public_id)).delete()
    if not deleted:
        raise NotFound


def end_other_sessions(request: HttpRequest, *, user: User) -> int:
    """Ends every session of the person but the one that asks; returns how many."""
    ended, _per_model = Session.objects.filter(user=user).exclude(key_hash=_current_hash(request)).delete()
    return ended


def end_all_sessions(*, user: User) -> None:
    Session.objects.filter(user=user).delete()


def _current_hash(request: HttpRequest) -> str:
    return hash_key(request.session.session_key or "")
