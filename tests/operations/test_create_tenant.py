"""`manage.py create_tenant`: what scripts get, and what they are told when it cannot be."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.tenants.permissions import KEY_SCOPES
from apps.tenants.queries import find_application, memberships_of
from tests.fixtures import PASSWORD

pytestmark = pytest.mark.django_db

GIVEN = {"name": "Acme", "email": "Olive@Acme.example", "password": PASSWORD, "application": "Shop"}


def create(**options: str) -> dict[str, str]:
    output = StringIO()
    call_command("create_tenant", json=True, stdout=output, **{**GIVEN, **options})
    return json.loads(output.getvalue())


def test_it_prints_one_json_object_of_what_was_made() -> None:
    made = create()
    assert list(made) == ["tenant_id", "application_id", "key", "secret", "api_key"]
    record = find_application(application_id=made["application_id"])
    assert record is not None
    assert record.credentials == {made["key"]: made["secret"]}


def test_the_owner_signs_in_with_the_address_in_lower_case() -> None:
    create()
    owner = User.objects.get(email="olive@acme.example")
    assert owner.check_password(PASSWORD)
    assert [(tenant.tenant_name, tenant.role) for tenant in memberships_of(owner)] == [("Acme", "owner")]


def test_the_api_key_opens_the_rest_api_with_every_scope() -> None:
    made = create()
    me = APIClient().get("/api/v1/me", headers={"authorization": f"Bearer {made['api_key']}"}).json()
    assert (me["tenant_id"], me["application_id"]) == (made["tenant_id"], made["application_id"])
    assert set(me["scopes"]) == KEY_SCOPES


def test_clients_with_fixed_keys_get_theirs() -> None:
    made = create(application_id="42", key="my-key", secret="my-secret-1")
    assert (made["application_id"], made["key"], made["secret"]) == ("42", "my-key", "my-secret-1")


def test_for_people_it_prints_a_line_each() -> None:
    output = StringIO()
    call_command("create_tenant", stdout=output, **GIVEN, application_id="42")
    assert "application_id  42\n" in output.getvalue()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"email": "olive"}, "--email"),
        ({"password": "short"}, "--password"),
        ({"password": "olive@acme.example"}, "--password"),
        ({"name": " "}, "--name"),
        ({"application": ""}, "--application: "),
        ({"application_id": "12a"}, "--application-id"),
        ({"key": "a/b"}, "--key"),
        ({"secret": "short"}, "--secret"),
    ],
)
def test_wrong_input_is_named_and_makes_nothing(wrong: dict[str, str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        create(**wrong)
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ({"application_id": "43", "key": "b"}, "--email: Somebody signs in with this address already"),
        ({"email": "b@b.example", "key": "b"}, "application_id_taken"),
        ({"email": "b@b.example", "application_id": "43"}, "credential_key_taken"),
    ],
)
def test_what_is_taken_is_named_and_makes_nothing(second: dict[str, str], said: str) -> None:
    first = {"application_id": "42", "key": "a"}
    create(**first)
    with pytest.raises(CommandError, match=said):
        create(**{**first, **second})
    assert User.objects.count() == 1
