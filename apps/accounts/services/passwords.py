"""Setting, changing and resetting passwords. Every change ends sessions and is told to the person."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import password_validation, update_session_auth_hash
from django.contrib.auth.hashers import make_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest

from apps.accounts import throttling
from apps.accounts.errors import LinkExpired
from apps.accounts.models import User
from apps.accounts.services import sessions
from apps.accounts.services.mail import send_mail, send_notice
from apps.core.addresses import client_ip, network_of
from apps.core.errors import InvalidInput, NotFound


def require_good_password(password: str, *, user: User, field: str = "password") -> None:
    """Raises InvalidInput with a sentence per broken rule (settings.AUTH_PASSWORD_VALIDATORS)."""
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        raise InvalidInput(fields={field: list(error.messages)}) from None


def spend_hashing_time(password: str) -> None:
    """What setting a password costs, for answers that must take as long without setting one."""
    make_password(password)


def change_password(request: HttpRequest, *, user: User, current: str, new: str) -> None:
    """Raises WrongPassword, TooManyGuesses, InvalidInput. The session that asks goes on, all others end."""
    sessions.confirm_password(request, user=user, password=current)
    require_good_password(new, user=user, field="new_password")
    user.set_password(new)
    user.save(update_fields=["password"])
    update_session_auth_hash(request, user)
    request.session.save()
    sessions.end_other_sessions(request, user=user)
    send_notice(user=user, kind="password_changed")


def request_password_reset(request: HttpRequest, *, email: str, link: Callable[[User, str], str]) -> None:
    """Sends a link to the person with this address, if there is one; the caller cannot tell. Raises TooManyGuesses.

    link: makes the absolute address from the person and the token.
    """
    email = email.lower()
    throttling.spend(throttling.RESETS_FROM_NETWORK, network_of(client_ip(request)))
    throttling.spend(throttling.RESETS_OF_ADDRESS, throttling.digest(email))
    user = User.objects.filter(email=email, is_active=True).first()
    if user is not None:
        facts = {"link": link(user, default_token_generator.make_token(user))}
        send_mail(
            recipient=user.email,
            kind="password_reset",
            language=user.language or settings.LANGUAGE_CODE,
            facts=facts,
        )


def person_of_reset_link(*, public_id: str, token: str) -> User:
    """Raises LinkExpired for a wrong person, a used token and an old one alike."""
    try:
        user = User.objects.filter(pk=User.number_of(public_id), is_active=True).first()
    except NotFound:
        user = None
    if user is None or not default_token_generator.check_token(user, token):
        raise LinkExpired
    return user


def reset_password(*, public_id: str, token: str, new: str) -> User:
    """Uses a link up. Signs nobody in: the next step is the sign-in with its second factor. Raises LinkExpired."""
    with transaction.atomic():
        found = person_of_reset_link(public_id=public_id, token=token)
        user = User.objects.select_for_update().get(pk=found.pk)
        if not default_token_generator.check_token(user, token):  # a second submission waited for the first
            raise LinkExpired
        require_good_password(new, user=user)
        user.set_password(new)
        user.save(update_fields=["password"])
        sessions.end_all_sessions(user=user)
        send_notice(user=user, kind="password_changed")
    return user
