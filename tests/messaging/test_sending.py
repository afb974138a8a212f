"""The pipeline: what leaves, what the ledger says afterwards, and what it does to what a dead worker left."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection

from apps.billing.meters import CAMPAIGN_SENDS
from apps.messaging import upkeep
from apps.messaging.ledger import steps as ledger
from apps.messaging.ledger.claiming import claim_chunk
from apps.messaging.ledger.states import Counts, UnknownPolicy
from apps.messaging.ledger.steps import LeaseLost
from apps.messaging.models import Chunk, Delivery, Message
from apps.messaging.queries import counts_of, differences
from apps.messaging.sending.pipeline import send_due_chunks
from apps.messaging.services import accept_message, cancel_message, pause_message, resume_message
from apps.providers.base import Outcome, Push, Result, Scope
from apps.tenants.models import Application
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope
from tests.sending import Recorder, make_people

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker")]

CONTENT = {"en": {"title": "Hi {{ subscriber.name }}", "body": "From {{ campaign.name }}"}}


@pytest.fixture
def accept(application: Application, people: list[str]) -> Callable[..., Message]:
    def accept(**given: object) -> Message:
        values = {"content": CONTENT, "routes": ["realtime"], "external_ids": people, "name": "Spring", **given}
        with tenant_scope(application.tenant):
            return accept_message(tenant=application.tenant, application=application, **values)  # type: ignore[arg-type]

    return accept


def states(message: Message) -> list[tuple[str, str]]:
    with tenant_scope(message.tenant_id):
        rows = Delivery.objects.of(message.tenant_id).filter(message=message).order_by("id")
        return list(rows.values_list("state", "reason"))


def counts(message: Message) -> Counts:
    """The kept counts, after proving that the ledger says the same."""
    with tenant_scope(message.tenant_id):
        assert differences(message) == {}
        return counts_of(message)


def sends_charged(tenant_id: int) -> int:
    with tenant_scope(tenant_id), connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(sum(quantity), 0) FROM usage_event WHERE meter = %s", [CAMPAIGN_SENDS])
        return int(cursor.fetchone()[0])


def expire_leases() -> None:
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        cursor.execute("UPDATE messaging_chunk SET lease_until = clock_timestamp() - interval '1 s'")


def send_all() -> None:
    assert send_due_chunks(seconds=30) is False


def test_everybody_gets_the_message_once_with_their_own_words(
    accept: Callable[..., Message], network: Recorder
) -> None:
    message = accept()
    send_all()
    assert [(push.recipient, push.notification.title) for push in network.pushes] == [
        ("person-0000", "Hi Name 0"), ("person-0001", "Hi Name 1"), ("person-0002", "Hi Name 2"),
    ]  # fmt: skip
    assert network.pushes[0].notification.body == "From Spring"
    assert counts(message) == Counts(planned=3, attempted=3, accepted=3)
    assert sends_charged(message.tenant_id) == 3


def test_a_second_worker_finds_nothing_left(accept: Callable[..., Message], network: Recorder) -> None:
    accept()
    send_all()
    send_all()
    assert len(network.pushes) == 3


def test_a_slice_is_committed_as_attempted_before_it_leaves(accept: Callable[..., Message], network: Recorder) -> None:
    message = accept()
    seen: list[list[tuple[str, str]]] = []
    network.before = lambda: seen.append(states(message))
    send_all()
    assert seen == [[("attempted", "")] * 3]


def test_a_person_without_the_needed_attribute_is_suppressed(
    accept: Callable[..., Message], application: Application, network: Recorder
) -> None:
    make_people(application, 1, attributes={"name": None})
    message = accept()
    send_all()
    assert states(message) == [("suppressed", "template_error"), ("accepted", ""), ("accepted", "")]
    assert counts(message) == Counts(planned=3, suppressed=1, attempted=2, accepted=2)


def test_somebody_erased_before_sending_is_suppressed(
    accept: Callable[..., Message], application: Application, network: Recorder
) -> None:
    message = accept()
    with tenant_scope(application.tenant), connection.cursor() as cursor:
        cursor.execute("DELETE FROM audience_subscriber WHERE external_id = 'person-0001'")
    send_all()
    assert states(message)[1] == ("suppressed", "not_in_audience")
    assert counts(message).accepted == 2


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        ((Result.REJECTED, Scope.DEVICE, "not_connected"), ("rejected", "not_connected")),
        ((Result.UNREGISTERED, Scope.DEVICE, "Gone"), ("unregistered", "Gone")),
        ((Result.UNKNOWN, Scope.PROVIDER, "timeout"), ("unknown", "timeout")),
    ],
)
def test_the_networks_word_is_recorded_with_its_reason(
    accept: Callable[..., Message], network: Recorder, outcome: tuple[Result, Scope, str], state: tuple[str, str]
) -> None:
    network.answer = lambda push: Outcome(push.id, *outcome)
    message = accept()
    send_all()
    assert states(message) == [state] * 3
    assert counts(message).accepted == 0
    assert sends_charged(message.tenant_id) == 0


@pytest.mark.parametrize("word", [Result.THROTTLED, Result.UNAVAILABLE])
def test_what_surely_was_not_processed_is_tried_again_and_then_given_up(
    accept: Callable[..., Message], network: Recorder, word: Result
) -> None:
    network.answer = lambda push: Outcome(push.id, word, Scope.PROVIDER, "busy")
    message = accept()
    for _ in range(ledger.MAX_ATTEMPTS):
        send_all()
        with tenant_scope(message.tenant_id):
            Chunk.objects.of(message.tenant_id).update(due_at=message.created_at)
    assert states(message) == [("rejected", "busy")] * 3
    assert len(network.pushes) == 3 * ledger.MAX_ATTEMPTS
    assert len({push.id for push in network.pushes}) == 3
    assert counts(message) == Counts(planned=3, attempted=3, failed=3)


def test_who_is_not_reached_gets_the_next_route(accept: Callable[..., Message], network: Recorder) -> None:
    def answer(push: Push) -> Outcome:
        absent = push.recipient == "person-0001" and len(network.pushes) == 3
        return Outcome(push.id, Result.REJECTED, Scope.DEVICE, "not_connected") if absent else accepted(push)

    def accepted(push: Push) -> Outcome:
        return Outcome(push.id, Result.ACCEPTED)

    network.answer = answer
    message = accept(routes=["realtime", "console"])
    send_all()
    assert network.recipients == ["person-0000", "person-0001", "person-0002", "person-0001"]
    assert counts(message) == Counts(planned=4, attempted=4, accepted=3, failed=1)


def test_an_adapter_that_breaks_leaves_unknown(accept: Callable[..., Message], network: Recorder) -> None:
    def answer(_push: Push) -> Outcome:
        raise RuntimeError("a bug")

    network.answer = answer
    message = accept()
    send_all()
    assert states(message) == [("unknown", "provider_failed")] * 3


class Killed(BaseException):
    """What SIGKILL looks like from inside."""


def die(network: Recorder) -> None:
    def before() -> None:
        network.before = lambda: None
        raise Killed

    network.before = before


def test_after_a_crash_in_flight_at_most_once_leaves_unknown(accept: Callable[..., Message], network: Recorder) -> None:
    message = accept(unknown_policy=UnknownPolicy.AT_MOST_ONCE)
    die(network)
    with pytest.raises(Killed):
        send_all()
    send_all()
    assert states(message) == [("attempted", "")] * 3  # the lease still runs
    expire_leases()
    send_all()
    assert states(message) == [("unknown", "")] * 3
    assert network.pushes == []
    assert counts(message) == Counts(planned=3, attempted=3, unknown=3)


def test_after_a_crash_in_flight_at_least_once_sends_again_with_the_same_id(
    accept: Callable[..., Message], network: Recorder
) -> None:
    message = accept(unknown_policy=UnknownPolicy.AT_LEAST_ONCE)
    die(network)
    with pytest.raises(Killed):
        send_all()
    expire_leases()
    send_all()
    assert counts(message) == Counts(planned=3, attempted=3, accepted=3)
    assert sends_charged(message.tenant_id) == 3


def test_a_worker_that_lost_its_lease_records_nothing(accept: Callable[..., Message], network: Recorder) -> None:
    message = accept()

    def stall() -> None:
        network.before = lambda: None
        expire_leases()
        send_all()  # another worker takes the chunk: the slice in flight is planned again and sent

    network.before = stall
    send_all()
    assert counts(message) == Counts(planned=3, attempted=3, accepted=3)
    assert sends_charged(message.tenant_id) == 3


def test_a_write_under_an_old_fence_is_refused(accept: Callable[..., Message], network: Recorder) -> None:
    message = accept()
    old = claim_chunk()
    assert old is not None
    expire_leases()
    assert claim_chunk() is not None
    with tenant_scope(message.tenant_id), pytest.raises(LeaseLost):
        ledger.hold(old, accepted=1)


def test_pause_stops_and_resume_continues(accept: Callable[..., Message], network: Recorder) -> None:
    message = accept()
    with tenant_scope(message.tenant_id):
        pause_message(tenant=message.tenant, message=message)
    send_all()
    assert network.pushes == []
    assert upkeep.end_messages() == 0
    with tenant_scope(message.tenant_id):
        resume_message(tenant=message.tenant, message=message)
    send_all()
    assert counts(message).accepted == 3


def test_pause_acts_before_the_next_slice(
    accept: Callable[..., Message], network: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.messaging.sending.slices.SLICE", 1)
    message = accept()

    def pause() -> None:
        with tenant_scope(message.tenant_id):
            pause_message(tenant=message.tenant, message=message)

    network.before = pause
    send_all()
    assert counts(message) == Counts(planned=3, attempted=1, accepted=1)


def test_cancel_suppresses_what_has_not_left(accept: Callable[..., Message], network: Recorder) -> None:
    message = accept()
    with tenant_scope(message.tenant_id):
        cancel_message(tenant=message.tenant, message=message)
    send_all()
    assert states(message) == [("suppressed", "canceled")] * 3
    assert network.pushes == []
    assert upkeep.end_messages() == 1


def test_what_expired_is_not_sent(accept: Callable[..., Message], network: Recorder) -> None:
    message = accept()
    with tenant_scope(message.tenant_id):
        message.changed(expires_at=message.created_at)
    send_all()
    assert states(message) == [("suppressed", "expired")] * 3
    assert network.pushes == []


def test_a_small_message_does_not_wait_behind_a_large_one(
    accept: Callable[..., Message], application: Application, network: Recorder
) -> None:
    large, small = accept(), accept()
    with tenant_scope(application.tenant):
        Chunk.objects.of(application.tenant_id).filter(message=large).update(number=7)
    claim = claim_chunk()
    assert claim is not None
    assert claim.message_id == small.pk


def test_the_tick_ends_a_message_only_when_everything_has_its_outcome(
    accept: Callable[..., Message], network: Recorder
) -> None:
    message = accept()
    assert upkeep.idle_chunks() == 1
    assert upkeep.end_messages() == 0
    send_all()
    assert upkeep.idle_chunks() == 0
    assert upkeep.end_messages() == 1
    with tenant_scope(message.tenant_id):
        assert message.refreshed().ended_at is not None


def test_planning_twice_adds_nobody_twice(accept: Callable[..., Message], network: Recorder) -> None:
    message = accept()
    with tenant_scope(message.tenant_id):
        numbers = list(Delivery.objects.of(message.tenant_id).values_list("subscriber_id", flat=True))
        again = ledger.plan_deliveries(
            tenant_id=message.tenant_id, message_id=message.pk, number=1, route="realtime",
            due_at=message.created_at, due=numbers,
        )  # fmt: skip
    assert again == 0
    send_all()
    assert counts(message).planned == 3
    assert len(network.pushes) == 3
