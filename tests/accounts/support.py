"""Authenticators whose codes a test can compute."""

from __future__ import annotations

from django_otp.oath import totp

from apps.accounts.models import Authenticator, User

SEED = bytes(range(20))


def code_now(seed: bytes = SEED) -> str:
    return f"{totp(seed):06d}"


def give_authenticator(user: User, seed: bytes = SEED) -> Authenticator:
    return Authenticator.objects.create(user=user, name="Phone", seed_sealed=Authenticator.seal_seed(seed, user.pk))
