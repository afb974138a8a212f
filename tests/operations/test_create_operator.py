"""`manage.py create_operator`: a new person, somebody who signs in already, and taking the right away."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.accounts.models import User
from apps.operations.models import OperatorEntry
from apps.operations.operators import verify_operations
from tests.fixtures import PASSWORD

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("create_operator", *arguments, stdout=out)
    return out.getvalue()


def test_a_new_operator_gets_a_password_that_is_shown_once() -> None:
    said = run("--email", "Op@Example.com")
    user = User.objects.get(email="op@example.com")
    assert (user.is_staff, user.is_superuser) == (True, False)
    assert user.check_password(said.split("password")[1].strip())
    assert OperatorEntry.objects.get().action == "operator.made"


def test_somebody_who_signs_in_keeps_their_password(owner: User) -> None:
    assert "password" not in run("--email", owner.email, "--password", "another one entirely")
    owner.refresh_from_db()
    assert owner.is_staff
    assert owner.check_password(PASSWORD)


def test_an_operator_is_dismissed(owner: User) -> None:
    run("--email", owner.email)
    run("--email", owner.email, "--dismiss")
    owner.refresh_from_db()
    assert not owner.is_staff
    assert verify_operations().broken_at is None
    with pytest.raises(CommandError, match="no_such_operator"):
        run("--email", owner.email, "--dismiss")


@pytest.mark.parametrize("arguments", [("--email", "nobody"), ("--email", "op@example.com", "--password", "short")])
def test_what_cannot_be_is_refused_and_makes_nobody(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match=r"invalid_input|password"):
        run(*arguments)
    assert not User.objects.exists()
