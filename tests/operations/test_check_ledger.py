"""The operator's command that counts the ledger anew."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from apps.messaging.models import Message
from apps.messaging.sending.pipeline import send_due_chunks
from apps.messaging.services import accept_message
from apps.messaging.upkeep import end_messages
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope
from tests.sending import Recorder, network, people  # noqa: F401  # fixtures

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clean_valkey", "as_worker")]


@pytest.fixture
def message(application: Application, people: list[str], network: Recorder) -> Message:  # noqa: F811
    with tenant_scope(application.tenant):
        message = accept_message(
            tenant=application.tenant, application=application, content={"en": {"title": "Hi"}}, routes=["realtime"],
            external_ids=people[:3],
        )  # fmt: skip
    send_due_chunks(seconds=30)
    end_messages()
    return message


def test_a_ledger_that_adds_up_is_said_to(message: Message, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("check_ledger")
    assert capsys.readouterr().out == "1 tenants, 0 differences\n"


def test_what_does_not_add_up_is_named_and_fails(message: Message, capsys: pytest.CaptureFixture[str]) -> None:
    with tenant_scope(message.tenant_id), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE messaging_delivery SET state = 'unknown' WHERE id = (SELECT min(id) FROM messaging_delivery)"
        )
    with pytest.raises(CommandError, match="does not add up"):
        call_command("check_ledger", "--tenant", message.tenant.public_id)
    lines = capsys.readouterr().out.splitlines()
    name = f"{message.tenant.public_id} {message.public_id}"
    assert f"{name} usage: accepted 2, billed 3" in lines
    assert f"{name} accepted: kept 3, counted 2" in lines
    assert f"{name} unknown: kept 0, counted 1" in lines


@pytest.mark.parametrize(
    ("arguments", "says"), [(["--days", "0"], "at least 1"), (["--tenant", "nobody"], "not the public id")]
)
def test_what_makes_no_sense_is_refused(arguments: list[str], says: str) -> None:
    with pytest.raises(CommandError, match=says):
        call_command("check_ledger", *arguments)
