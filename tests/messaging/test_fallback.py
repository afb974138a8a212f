"""The next route after a while: whoever answers keeps it from being asked. And receipts as proof."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.core import clock
from apps.messaging import upkeep
from apps.messaging.errors import HandlingInvalid
from apps.messaging.ledger.claiming import claim_chunk
from apps.messaging.ledger.reconciling import unbilled_messages
from apps.messaging.ledger.states import Counts
from apps.messaging.models import Chunk, Delivery, Message
from apps.messaging.queries import counts_of, differences
from apps.messaging.receipts.meaning import Kind, ReceiptIn
from apps.messaging.sending import pipeline as sending
from apps.messaging.sending.pipeline import send_due_chunks
from apps.messaging.services import accept_message, record_receipts
from apps.providers.base import Outcome, Push, Result, Scope
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope
from tests.sending import Recorder

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker", "clean_valkey")]


def accept(application: Application, names: list[str], **given: object) -> Message:
    with tenant_scope(application.tenant):
        return accept_message(
            tenant=application.tenant, application=application, content={"en": {"title": "Hi"}},
            routes=["realtime", "console"], external_ids=names, **{"fallback_after": 30, **given},
        )  # fmt: skip


def answer(message: Message, recipient: int) -> None:
    """A receipt of the first route's delivery to the n-th person."""
    with tenant_scope(message.tenant_id):
        rows = Delivery.objects.of(message.tenant_id).filter(message=message, route="realtime").order_by("id")
        record_receipts(
            tenant_id=message.tenant_id, receipts=[ReceiptIn(rows[recipient].pk, Kind.RECEIVED, clock.now())]
        )


def pass_time(message: Message) -> None:
    with tenant_scope(message.tenant_id):
        Chunk.objects.of(message.tenant_id).filter(is_done=False).update(due_at=clock.now() - timedelta(seconds=1))


def rows(message: Message) -> list[tuple[str, str, str]]:
    with tenant_scope(message.tenant_id):
        found = Delivery.objects.of(message.tenant_id).filter(message=message).order_by("id")
        return list(found.values_list("route", "state", "reason"))


def require_exact(message: Message) -> Counts:
    with tenant_scope(message.tenant_id):
        assert differences(message) == {}
        assert unbilled_messages(tenant=message.tenant, since=clock.now() - timedelta(hours=1)) == []
        return counts_of(message)


def test_who_answers_is_spared_the_next_route_and_who_does_not_gets_it(
    application: Application, people: list[str], network: Recorder
) -> None:
    message = accept(application, people[:2])
    send_due_chunks(seconds=30)
    assert [row[:2] for row in rows(message)] == [("realtime", "accepted")] * 2 + [("console", "planned")] * 2
    upkeep.end_messages()
    answer(message, 0)
    pass_time(message)
    send_due_chunks(seconds=30)
    assert network.recipients == [people[0], people[1], people[1]]
    assert rows(message)[2:] == [("console", "suppressed", "answered"), ("console", "accepted", "")]
    assert require_exact(message) == Counts(planned=4, suppressed=1, attempted=3, accepted=3, received=1)


def test_the_next_route_waits_until_it_is_due(application: Application, people: list[str], network: Recorder) -> None:
    message = accept(application, people[:1])
    assert send_due_chunks(seconds=30) is False
    assert claim_chunk() is None
    assert rows(message) == [("realtime", "accepted", ""), ("console", "planned", "")]


def test_whom_a_route_does_not_reach_is_not_kept_waiting(
    application: Application, people: list[str], network: Recorder
) -> None:
    network.answer = lambda push: Outcome(push.id, Result.REJECTED, Scope.DEVICE, "not_connected")
    message = accept(application, people[:1])
    send_due_chunks(seconds=30)
    assert [row[0] for row in rows(message)] == ["realtime", "console"]
    assert len(network.pushes) == 2


def test_a_receipt_that_comes_while_the_next_route_is_being_made_still_stops_it(
    application: Application, people: list[str], network: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = accept(application, people[:1])
    send_due_chunks(seconds=30)
    pass_time(message)
    make = sending.render_slice

    def make_and_hear(*given: object) -> object:
        made = make(*given)  # type: ignore[arg-type]
        answer(message, 0)
        return made

    monkeypatch.setattr(sending, "render_slice", make_and_hear)
    send_due_chunks(seconds=30)
    assert len(network.pushes) == 1
    assert rows(message)[1] == ("console", "suppressed", "answered")


def test_a_worker_that_dies_before_the_next_route_leaves_it_due(
    application: Application, people: list[str], network: Recorder
) -> None:
    message = accept(application, people[:1])
    send_due_chunks(seconds=30)
    pass_time(message)
    assert claim_chunk() is not None  # and never comes back
    with tenant_scope(application.tenant):
        Chunk.objects.of(application.tenant_id).update(lease_until=clock.now() - timedelta(seconds=1))
    send_due_chunks(seconds=30)
    assert [row[1] for row in rows(message)] == ["accepted", "accepted"]
    assert require_exact(message).accepted == 2


@pytest.mark.parametrize("wrong", [{"fallback_after": 0}, {"fallback_after": 10**7}, {"collapse_key": "x" * 65}])
def test_a_handling_that_cannot_be_is_refused(
    application: Application, people: list[str], wrong: dict[str, object]
) -> None:
    with pytest.raises(HandlingInvalid):
        accept(application, people[:1], **wrong)


def test_priority_and_collapse_key_reach_the_network(
    application: Application, people: list[str], network: Recorder
) -> None:
    accept(application, people[:1], is_urgent=False, collapse_key="score", fallback_after=None)
    send_due_chunks(seconds=30)
    assert [(push.urgent, push.collapse_key) for push in network.pushes] == [(False, "score")]


def test_a_receipt_proves_that_an_unknown_delivery_was_accepted(
    application: Application, people: list[str], network: Recorder
) -> None:
    network.answer = lambda push: Outcome(push.id, Result.UNKNOWN)
    message = accept(application, people[:2], unknown_policy="at_most_once")
    send_due_chunks(seconds=30)
    assert require_exact(message) == Counts(planned=2, attempted=2, unknown=2)
    answer(message, 1)
    answer(message, 1)
    assert [row[1] for row in rows(message)] == ["unknown", "accepted"]
    assert require_exact(message) == Counts(planned=2, attempted=2, accepted=1, unknown=1, received=1)


def test_a_receipt_before_the_answer_of_the_network_proves_as_well(
    application: Application, people: list[str], network: Recorder
) -> None:
    def hear(push: Push) -> Outcome:
        answer(message, 0)
        return Outcome(push.id, Result.UNKNOWN)

    network.answer = hear
    message = accept(application, people[:1], unknown_policy="at_most_once")
    send_due_chunks(seconds=30)
    assert require_exact(message) == Counts(planned=1, attempted=1, accepted=1, received=1)


def test_what_a_dead_worker_sent_and_somebody_received_is_not_sent_again(
    application: Application, people: list[str], network: Recorder
) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    network.before = die
    message = accept(application, people[:2], fallback_after=None)  # at least once
    with pytest.raises(KeyboardInterrupt):
        send_due_chunks(seconds=30)
    answer(message, 0)
    network.before = lambda: None
    with tenant_scope(application.tenant):
        Chunk.objects.of(application.tenant_id).update(lease_until=clock.now() - timedelta(seconds=1))
    send_due_chunks(seconds=30)
    assert network.recipients == [people[1]]
    assert require_exact(message) == Counts(planned=2, attempted=2, accepted=2, received=1)
