"""People and their authenticators."""

from __future__ import annotations

import pytest

from apps.accounts.models import Authenticator, User
from tests.accounts.support import give_authenticator
from tests.fixtures import PASSWORD


@pytest.fixture
def person(db: None) -> User:
    return User.objects.create_user("ann@acme.example", PASSWORD, name="Ann")


@pytest.fixture
def neighbour(db: None) -> User:
    return User.objects.create_user("bob@globex.example", PASSWORD, name="Bob")


@pytest.fixture
def authenticator(person: User) -> Authenticator:
    return give_authenticator(person)
