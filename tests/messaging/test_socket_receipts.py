"""A receipt told on a socket counts as one told by HTTP, and cancels the push that waits."""

from __future__ import annotations

import orjson
import pytest
from django.db import DatabaseError

from apps.core import valkey
from apps.messaging.models import Delivery, Message
from apps.messaging.receipts import from_sockets
from apps.messaging.receipts.from_sockets import take_socket_receipts
from apps.messaging.receipts.tokens import tokens_for
from apps.messaging.sending.pipeline import send_due_chunks
from apps.realtime import keys
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope
from tests.messaging.test_fallback import accept, pass_time, require_exact, rows
from tests.sending import Recorder

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker", "clean_valkey")]


def tell(message: Message, *tokens: str) -> None:
    reports = [{"token": token, "kind": "received", "at": 1_700_000_000_000} for token in tokens]
    valkey.connect(message.tenant.home_region).xadd(keys.RECEIPTS, {"r": orjson.dumps(reports)})


def token_of(message: Message, recipient: int) -> str:
    with tenant_scope(message.tenant_id):
        sent = Delivery.objects.of(message.tenant_id).filter(message=message, route="realtime").order_by("id")
        [token] = tokens_for(message.tenant_id, [sent[recipient].pk])
    return token


def test_a_receipt_over_the_socket_cancels_the_push_that_waits(
    application: Application, people: list[str], network: Recorder
) -> None:
    message = accept(application, people[:2])
    send_due_chunks(seconds=30)
    tell(message, token_of(message, 0), "x" * 40)

    assert take_socket_receipts(region=application.tenant.home_region) == 1

    pass_time(message)
    send_due_chunks(seconds=30)
    assert rows(message)[2:] == [("console", "suppressed", "answered"), ("console", "accepted", "")]
    assert require_exact(message).received == 1


def test_what_is_told_twice_counts_once_and_an_outage_loses_nothing(
    application: Application, people: list[str], network: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    message, region = accept(application, people[:1]), application.tenant.home_region
    send_due_chunks(seconds=30)
    tell(message, token_of(message, 0))
    tell(message, token_of(message, 0))

    def away(**_given: object) -> list[object]:
        raise DatabaseError

    with monkeypatch.context() as patch:
        patch.setattr(from_sockets, "record_signed_reports", away)
        assert take_socket_receipts(region=region) == 0
    assert take_socket_receipts(region=region) == 1
    assert valkey.connect(region).xlen(keys.RECEIPTS) == 0
    assert require_exact(message).received == 1
