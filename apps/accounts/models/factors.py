"""What proves a person besides the password: authenticator apps and recovery codes.

"Authenticator" is what django-otp calls a device; a Device in this house is an end user's installation.
"""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device as OtpDevice
from django_otp.models import ThrottlingMixin
from django_otp.oath import TOTP

from apps.core import clock, sealing
from apps.core.models import PublicIdModel

if TYPE_CHECKING:
    from apps.accounts.models.users import User

CODE_DIGITS = 6
CODE_SECONDS = 30


class AuthenticatorManager(models.Manager["Authenticator"]):
    def devices_for_user(self, user: User, confirmed: bool | None = None) -> models.QuerySet[Authenticator]:
        """What django-otp asks of a device's manager. In a fixed order, so that two who lock them do not deadlock."""
        owned = self.filter(user=user).order_by("pk")
        return owned if confirmed is None else owned.filter(confirmed=confirmed)


class Authenticator(PublicIdModel, ThrottlingMixin, OtpDevice):  # type: ignore[misc]  # both untyped
    """An app that shows time-based codes (RFC 6238: SHA-1, 6 digits, 30 s).

    The seed lies sealed, and the seal names the person and this table: copied into another row it does not open. A code
    is good only during its own 30 seconds (ASVS 6.5.5) and once (6.5.1, `last_step`). Wrong codes make the next try
    wait 1, 2, 4, 8 … seconds. `accepts` must be called with the row locked: see `apps.accounts.services.factors`.
    """

    public_id_prefix: ClassVar[str] = "atr"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="authenticators")
    name = models.CharField(_("name"), max_length=64)
    seed_sealed = models.TextField(editable=False)
    last_step = models.BigIntegerField(default=-1, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[AuthenticatorManager] = AuthenticatorManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user"], condition=models.Q(confirmed=False), name="one_enrolment_at_a_time_per_person"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def seal_context(user_id: int) -> str:
        return f"accounts_authenticator|seed|{user_id}"

    @classmethod
    def seal_seed(cls, seed: bytes, user_id: int) -> str:
        return sealing.seal(base64.b32encode(seed).decode(), context=cls.seal_context(user_id))

    @property
    def manual_key(self) -> str:
        """The seed in base32, as people type it into their app. Raises SealBroken."""
        return sealing.unseal(self.seed_sealed, context=self.seal_context(self.user_id))

    def accepts(self, code: str) -> bool:
        """Whether this is the code of the running 30 seconds, not used before. Remembers the step; the caller saves."""
        if len(code) != CODE_DIGITS or not (code.isascii() and code.isdigit()):
            return False
        totp = TOTP(base64.b32decode(self.manual_key), CODE_SECONDS, 0, CODE_DIGITS)
        totp.time = time.time()
        if not totp.verify(int(code), tolerance=0, min_t=self.last_step + 1):
            return False
        self.last_step = totp.t()
        self.last_used_at = clock.now()
        return True

    def get_throttle_factor(self) -> int:
        return 1


class RecoveryCode(models.Model):
    """One of ten codes for the day the phone is gone. 120 random bits, so a plain SHA-256 keeps it (ASVS 6.5.2)."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="recovery_codes")
    hash = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "hash"], name="recovery_code_is_listed_once")]
