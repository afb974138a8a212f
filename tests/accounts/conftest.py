"""People and their authenticators."""

from __future__ import annotations

import pytest
from django_otp.oath import totp

from apps.accounts.models import Authenticator, User

SEED = bytes(range(20))
PASSWORD = "correct horse battery staple"


@pytest.fixture
def person(db: None) -> User:
    return User.objects.create_user("ann@acme.example", PASSWORD, name="Ann")


@pytest.fixture
def neighbour(db: None) -> User:
    return User.objects.create_user("bob@globex.example", PASSWORD, name="Bob")


@pytest.fixture
def authenticator(person: User) -> Authenticator:
    sealed = Authenticator.seal_seed(SEED, person.pk)
    return Authenticator.objects.create(user=person, name="Phone", seed_sealed=sealed)


def code_now(seed: bytes = SEED) -> str:
    return f"{totp(seed):06d}"
