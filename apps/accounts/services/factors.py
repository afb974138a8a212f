"""Enrolling, giving and removing second factors.

The proving functions open a durable transaction of their own, because a wrong guess must stay counted when the caller
goes on to fail.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from urllib.parse import quote

from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _
from django_otp import devices_for_user

from apps.accounts.errors import FactorRequired, TooManyAuthenticators, TooManyGuesses, WrongCode, WrongRecoveryCode
from apps.accounts.models import Authenticator, RecoveryCode, User
from apps.accounts.services.mail import send_notice
from apps.core import clock
from apps.core.errors import NotFound
from apps.core.text import require_name

ISSUER = "pushsaas"
MAX_AUTHENTICATORS = 5
RECOVERY_CODES = 10
_SEED_BYTES = 20
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_RECOVERY_LENGTH = 24


def start_enrolment(*, user: User) -> Authenticator:
    """The person's unconfirmed authenticator; asking again gives the same one, so that a reload keeps the QR code."""
    pending = Authenticator.objects.filter(user=user, confirmed=False)
    if (existing := pending.first()) is not None:
        return existing
    if Authenticator.objects.filter(user=user).count() >= MAX_AUTHENTICATORS:
        raise TooManyAuthenticators
    sealed = Authenticator.seal_seed(secrets.token_bytes(_SEED_BYTES), user.pk)
    try:
        with transaction.atomic():
            return Authenticator.objects.create(user=user, confirmed=False, seed_sealed=sealed)
    except IntegrityError:  # the other tab was first
        return pending.get()


def enrolment_uri(authenticator: Authenticator) -> str:
    """The `otpauth://` address of a QR code (Key Uri Format)."""
    label = quote(f"{ISSUER}:{authenticator.user.email}")
    return f"otpauth://totp/{label}?secret={authenticator.manual_key}&issuer={ISSUER}&algorithm=SHA1&digits=6&period=30"


def confirm_enrolment(*, user: User, name: str, code: str) -> Authenticator:
    """Takes the pending authenticator into use once it shows the right code.

    name: "" for a plain one. Raises InvalidInput, WrongCode, TooManyGuesses.
    """
    name = require_name(name, limit=64) if name else _("Authenticator app")
    authenticator = _prove(user, code, confirmed=False)
    authenticator.name = name
    authenticator.confirmed = True
    authenticator.save(update_fields=["name", "confirmed"])
    send_notice(user=user, kind="factor_added", facts={"name": authenticator.name})
    return authenticator


def prove_code(*, user: User, code: str) -> Authenticator:
    """The authenticator that shows this code now. Raises WrongCode, TooManyGuesses."""
    return _prove(user, code, confirmed=True)


def _prove(user: User, code: str, *, confirmed: bool) -> Authenticator:
    """All of the person's rows are locked first: of two submissions of one code, the second finds its step used."""
    with transaction.atomic(durable=True):
        waiting: list[datetime] = []
        candidates: list[Authenticator] = []
        for authenticator in devices_for_user(user, confirmed=confirmed, for_verify=True):
            allowed, reason = authenticator.verify_is_allowed()
            candidates.append(authenticator) if allowed else waiting.append(reason["locked_until"])
        found = next((candidate for candidate in candidates if candidate.accepts(code)), None)
        if found is not None:
            found.throttle_reset()
        for candidate in candidates if found is None else []:
            candidate.throttle_increment()
    if found is None and not candidates and waiting:
        raise TooManyGuesses(retry_after=max(1.0, (min(waiting) - clock.now()).total_seconds()))
    if found is None:
        raise WrongCode
    return found


def replace_recovery_codes(*, user: User) -> list[str]:
    """Ten new codes in clear, for the one time they are shown. The old ones die."""
    codes = ["".join(secrets.choice(_BASE32) for _n in range(_RECOVERY_LENGTH)) for _i in range(RECOVERY_CODES)]
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)  # two replacements at once would leave twenty codes
        RecoveryCode.objects.filter(user=user).delete()
        RecoveryCode.objects.bulk_create(RecoveryCode(user=user, hash=_hash(code)) for code in codes)
    send_notice(user=user, kind="recovery_codes_replaced")
    return codes


def recovery_codes_left(*, user: User) -> int:
    return RecoveryCode.objects.filter(user=user, used_at=None).count()


def use_recovery_code(*, user: User, code: str) -> Authenticator:
    """Burns one code and returns the authenticator it stands in for. Raises WrongRecoveryCode."""
    plain = "".join(code.split()).replace("-", "").upper()
    authenticator = Authenticator.objects.filter(user=user, confirmed=True).order_by("pk").first()
    if authenticator is None or not _burn(user, _hash(plain)):
        raise WrongRecoveryCode
    send_notice(user=user, kind="recovery_code_used", facts={"left": recovery_codes_left(user=user)})
    return authenticator


def _burn(user: User, code_hash: str) -> bool:
    """One statement, so that two requests with the same code cannot both find it unused."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE accounts_recoverycode SET used_at = %s "
            "WHERE user_id = %s AND hash = %s AND used_at IS NULL RETURNING id",
            [clock.now(), user.pk, code_hash],
        )
        return cursor.fetchone() is not None


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


def remove_authenticator(*, user: User, public_id: str, required: bool) -> bool:
    """Whether the person has another one left. With the last one the recovery codes go too.

    required: whether one of the person's roles needs a factor. Raises NotFound, FactorRequired.
    """
    number = Authenticator.number_of(public_id)
    with transaction.atomic():
        owned = list(Authenticator.objects.select_for_update().filter(user=user, confirmed=True))
        authenticator = next((candidate for candidate in owned if candidate.pk == number), None)
        if authenticator is None:
            raise NotFound
        others = len(owned) - 1
        if required and not others:
            raise FactorRequired
        authenticator.delete()
        if not others:
            RecoveryCode.objects.filter(user=user).delete()
    send_notice(user=user, kind="factor_removed", facts={"name": authenticator.name})
    return others > 0
