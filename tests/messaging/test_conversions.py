"""Conversions out of behaviour events: who they are owed to, once, in whatever order things are told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
import time_machine

from apps.audience.services.events import record_events
from apps.core import clock
from apps.messaging.ledger.states import Counts
from apps.messaging.models import Delivery, Message, Receipt
from apps.messaging.queries import counts_of, differences
from apps.messaging.receipts.conversions import LAG, attribute_conversions
from apps.messaging.receipts.meaning import Kind, ReceiptIn
from apps.messaging.sending.pipeline import send_due_chunks
from apps.messaging.services import accept_message, record_receipts
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope
from tests.sending import Recorder

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker")]

PURCHASE = {"event": "purchase", "window": 3_600, "amount": "total", "currency": "EUR"}


@pytest.fixture
def send(application: Application, people: list[str], network: Recorder) -> Callable[..., Message]:
    def send(conversion: dict[str, object] | None = PURCHASE) -> Message:
        follow_up = {"conversion": conversion} if conversion else {}
        with tenant_scope(application.tenant):
            message = accept_message(
                tenant=application.tenant, application=application, content={"en": {"title": "Hi"}},
                routes=["realtime"], external_ids=people[:1], follow_up=follow_up,
            )  # fmt: skip
        send_due_chunks(seconds=30)
        return message

    return send


def reported(message: Message, kind: Kind, ago: timedelta = timedelta(minutes=10)) -> None:
    with tenant_scope(message.tenant_id):
        delivery = Delivery.objects.of(message.tenant_id).get(message=message)
        receipt = ReceiptIn(delivery.pk, kind, clock.now() - ago)
        record_receipts(tenant_id=message.tenant_id, receipts=[receipt])


def bought(application: Application, event_id: str, **given: object) -> None:
    event = {"id": event_id, "external_id": "person-0000", "name": "purchase", "properties": {"total": 19.9}, **given}
    with tenant_scope(application.tenant):
        (result,) = record_events(tenant=application.tenant, application=application, events=[event])
    assert result.status == "recorded"


def tick(after: timedelta = LAG + timedelta(seconds=1)) -> int:
    with time_machine.travel(clock.now() + after, tick=False):
        return attribute_conversions()


def counts(message: Message) -> Counts:
    with tenant_scope(message.tenant_id):
        assert differences(message) == {}
        return counts_of(message)


def when(message: Message) -> datetime:
    with tenant_scope(message.tenant_id):
        return Receipt.objects.of(message.tenant_id).get(message=message, kind="converted").at


def test_an_event_in_the_window_converts_once_and_is_worth_something(
    application: Application, send: Callable[..., Message]
) -> None:
    message = send()
    reported(message, Kind.OPENED)
    bought(application, "order-1")
    assert tick(timedelta(0)) == 0
    assert tick() == 1
    assert tick(LAG * 3) == 0
    assert counts(message).converted == 1
    assert counts(message).revenue == {"EUR": Decimal("19.9")}


def test_a_second_event_changes_nothing(application: Application, send: Callable[..., Message]) -> None:
    older, newer = send(), send()
    reported(older, Kind.OPENED, timedelta(minutes=20))
    reported(newer, Kind.OPENED, timedelta(minutes=10))
    bought(application, "order-1", occurred_at=(clock.now() - timedelta(minutes=5)).isoformat())
    first = clock.now() - timedelta(minutes=6)
    bought(application, "order-2", occurred_at=first.isoformat())
    assert tick() == 1
    assert counts(newer).converted == 1
    assert when(newer) == first
    assert counts(older).converted == 0


@pytest.mark.parametrize(
    ("older", "newer", "winner"),
    [
        (Kind.RECEIVED, Kind.RECEIVED, "newer"),
        (Kind.OPENED, Kind.RECEIVED, "older"),
        (Kind.CLICKED, Kind.OPENED, "newer"),
    ],
)
def test_it_is_owed_to_the_last_one_opened_or_else_received(
    application: Application, send: Callable[..., Message], older: Kind, newer: Kind, winner: str
) -> None:
    messages = {"older": send(), "newer": send()}
    reported(messages["older"], older, timedelta(minutes=20))
    reported(messages["newer"], newer, timedelta(minutes=10))
    bought(application, "order-1")
    assert tick() == 1
    assert [name for name, message in messages.items() if counts(message).converted] == [winner]


def test_what_is_outside_of_the_window_or_of_another_name_converts_nothing(
    application: Application, send: Callable[..., Message]
) -> None:
    early, late, other, silent = send(), send(), send(PURCHASE | {"event": "signup"}), send(None)
    reported(early, Kind.OPENED, timedelta(minutes=61))
    reported(late, Kind.OPENED, timedelta(0))
    for message in (other, silent):
        reported(message, Kind.OPENED)
    bought(application, "order-1", occurred_at=(clock.now() - timedelta(seconds=30)).isoformat())
    assert tick() == 0
    assert [counts(message).converted for message in (early, late, other, silent)] == [0, 0, 0, 0]


def test_who_never_received_it_does_not_convert(application: Application, send: Callable[..., Message]) -> None:
    message = send()
    bought(application, "order-1")
    assert tick() == 0
    assert counts(message).converted == 0


@pytest.mark.parametrize("total", ["much", -5, None, {"a": 1}, 1e13])
def test_an_event_without_a_sum_converts_without_a_worth(
    application: Application, send: Callable[..., Message], total: object
) -> None:
    message = send()
    reported(message, Kind.OPENED)
    bought(application, "order-1", properties={"total": total})
    assert tick() == 1
    assert (counts(message).converted, counts(message).revenue) == (1, {})


def test_the_neighbours_event_of_a_person_of_the_same_name_is_not_ours(
    application: Application, other_application: Application, send: Callable[..., Message]
) -> None:
    message = send()
    reported(message, Kind.OPENED)
    bought(other_application, "order-1")
    assert tick() == 0
    assert counts(message).converted == 0


@pytest.mark.parametrize("late", [timedelta(hours=23), timedelta(hours=30), timedelta(days=29)])
def test_an_event_counts_by_its_own_time_however_late_it_is_told(
    application: Application, send: Callable[..., Message], late: timedelta
) -> None:
    message = send()
    reported(message, Kind.OPENED)
    happened = clock.now()
    assert tick() == 0
    with time_machine.travel(happened + late, tick=False):
        bought(application, "order-1", occurred_at=happened.isoformat())
        bought(application, "order-2", occurred_at=(happened + timedelta(hours=1)).isoformat())
    assert tick(late + LAG * 2) == 1
    assert tick(late + LAG * 4) == 0
    assert (counts(message).converted, when(message)) == (1, happened)


def test_what_came_while_no_worker_ran_for_days_is_looked_at(
    application: Application, send: Callable[..., Message]
) -> None:
    message = send()
    reported(message, Kind.OPENED)
    assert tick() == 0
    with time_machine.travel(clock.now() + timedelta(minutes=2), tick=False):
        bought(application, "order-1")
    assert tick(timedelta(days=4)) == 1
    assert counts(message).converted == 1
