"""The in-app inbox: copies for whoever a message goes to, counts that are true, and nothing left of who is gone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine

from apps.audience.models import Subscriber
from apps.audience.services.subscribers import erase_subscriber
from apps.core import clock
from apps.messaging.errors import FollowUpInvalid
from apps.messaging.models import InboxItem, Message
from apps.messaging.receipts.following import FollowUp, follow_up_of, read_follow_up
from apps.messaging.receipts.tokens import read_token
from apps.messaging.sending.pipeline import send_due_chunks
from apps.messaging.services import accept_message, inbox
from apps.messaging.services.inbox import (
    Note,
    archive_items,
    delete_item,
    read_items,
    recall_copies,
    sweep_inboxes,
    unread_count,
)
from apps.providers.base import Outcome, Result, Scope
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope
from tests.sending import Recorder

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker")]

CONTENT = {
    "en": {"title": "Hi {{ subscriber.name }}", "body": "Hello", "url": "https://shop.example/", "data": {"n": 1}}
}
WITH_COPY = {"inbox": {"expires_after": 3_600}}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Note]:
    """Whom the inbox told what."""
    notes: list[Note] = []
    monkeypatch.setattr(inbox, "publish_to_users", lambda **given: notes.extend(
        Note(message.external_id, message.data) for message in given["messages"]
    ))  # fmt: skip
    return notes


@pytest.fixture
def send(application: Application, people: list[str], network: Recorder) -> Callable[..., Message]:
    def send(**given: object) -> Message:
        values = {"content": CONTENT, "routes": ["realtime"], "external_ids": people, "follow_up": WITH_COPY, **given}
        with tenant_scope(application.tenant):
            message = accept_message(tenant=application.tenant, application=application, **values)  # type: ignore[arg-type]
        assert send_due_chunks(seconds=30) is False
        return message

    return send


def person_named(application: Application, external_id: str = "person-0000") -> Subscriber:
    return Subscriber.objects.in_application(application).named(external_id)


def test_everybody_finds_their_own_words_and_hears_of_them(
    application: Application, send: Callable[..., Message], told: list[Note], network: Recorder
) -> None:
    message = send()
    assert told == [Note(f"person-000{number}", '{"unread":1}') for number in range(3)]
    with tenant_scope(application.tenant):
        (item,) = InboxItem.objects.shown_to(person_named(application, "person-0001"))
        assert (item.title, item.body, item.url, item.data) == ("Hi Name 1", "Hello", "https://shop.example/", {"n": 1})
        assert item.expires_at - item.created_at == timedelta(hours=1)
        assert item.message_id == message.pk
        sent = read_token(network.pushes[1].receipt)
        assert sent is not None
        assert item.delivery_id == sent.delivery_id


def test_without_the_wish_there_is_no_copy(
    application: Application, send: Callable[..., Message], told: list[Note]
) -> None:
    send(follow_up={})
    assert told == []
    with tenant_scope(application.tenant):
        assert InboxItem.objects.of(application.tenant).count() == 0


def test_who_is_reached_by_the_second_route_has_one_copy(
    application: Application, send: Callable[..., Message], told: list[Note], network: Recorder
) -> None:
    network.answer = lambda push: Outcome(push.id, Result.REJECTED, Scope.DEVICE, "not_connected")
    send(routes=["realtime", "console"])
    assert len(network.pushes) == 6
    with tenant_scope(application.tenant):
        assert InboxItem.objects.of(application.tenant).count() == 3
    assert len(told) == 3


def test_a_person_reads_archives_and_deletes_what_is_theirs_alone(
    application: Application, send: Callable[..., Message], told: list[Note],
    django_capture_on_commit_callbacks: Callable[..., object],
) -> None:  # fmt: skip
    send(), send(), send()
    told.clear()
    with tenant_scope(application.tenant):
        person, other = person_named(application), person_named(application, "person-0001")
        first, second, third = InboxItem.objects.shown_to(person).order_by("id")
        foreign = InboxItem.objects.shown_to(other).earliest("id")
        with django_capture_on_commit_callbacks(execute=True):  # type: ignore[attr-defined]
            assert read_items(person=person, ids=[first.public_id, foreign.public_id]) == 2
            assert archive_items(person=person, ids=[second.public_id]) == 1
            assert delete_item(person=person, item=third) == 0
        assert [note.unread for note in told] == ['{"unread":2}', '{"unread":1}', '{"unread":0}']
        assert list(InboxItem.objects.shown_to(person)) == [first]
        assert unread_count(person=other) == 3
        assert read_items(person=other, ids=None) == 0


def test_reading_twice_keeps_the_first_time(
    application: Application, send: Callable[..., Message], told: list[Note]
) -> None:
    send()
    with tenant_scope(application.tenant):
        person = person_named(application)
        read_items(person=person, ids=None)
        first = InboxItem.objects.shown_to(person).get().read_at
        read_items(person=person, ids=None)
        assert InboxItem.objects.shown_to(person).get().read_at == first


def test_a_recalled_message_is_gone_at_once_and_swept_later(
    application: Application, send: Callable[..., Message], told: list[Note]
) -> None:
    message, kept = send(), send()
    told.clear()
    with tenant_scope(application.tenant):
        person = person_named(application)
        assert unread_count(person=person) == 2
        recall_copies(tenant=application.tenant, message=message)
        assert unread_count(person=person) == 1
        assert [item.message_id for item in InboxItem.objects.shown_to(person)] == [kept.pk]
        assert InboxItem.objects.of(application.tenant).filter(message=message).count() == 3
    sweep_inboxes()
    with tenant_scope(application.tenant):
        assert InboxItem.objects.of(application.tenant).filter(message=message).count() == 0
        assert InboxItem.objects.of(application.tenant).filter(message=kept).count() == 3
    assert sorted(told, key=lambda note: note.external_id) == [
        Note(f"person-000{number}", '{"unread":1}') for number in range(3)
    ]


def test_a_message_recalled_before_it_leaves_puts_nothing_in(
    application: Application, people: list[str], network: Recorder, told: list[Note]
) -> None:
    with tenant_scope(application.tenant):
        message = accept_message(
            tenant=application.tenant, application=application, content=CONTENT, routes=["realtime"],
            external_ids=people, follow_up=WITH_COPY,
        )  # fmt: skip
        recall_copies(tenant=application.tenant, message=message)
    send_due_chunks(seconds=30)
    assert len(network.pushes) == 3
    with tenant_scope(application.tenant):
        assert InboxItem.objects.of(application.tenant).count() == 0


def test_what_has_expired_is_hidden_and_then_deleted(
    application: Application, send: Callable[..., Message], told: list[Note]
) -> None:
    send()
    with time_machine.travel(clock.now() + timedelta(hours=2)):
        with tenant_scope(application.tenant):
            assert unread_count(person=person_named(application)) == 0
        sweep_inboxes()
    with tenant_scope(application.tenant):
        assert InboxItem.objects.of(application.tenant).count() == 0


def test_the_inbox_goes_with_the_person(
    application: Application, send: Callable[..., Message], told: list[Note]
) -> None:
    send()
    with tenant_scope(application.tenant):
        person = person_named(application)
        erase_subscriber(tenant=application.tenant, subscriber=person, actor="test")
        assert InboxItem.objects.of(application.tenant).filter(subscriber=person.pk).count() == 0
        assert InboxItem.objects.of(application.tenant).count() == 2


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ([], "follow_up"),
        ({"box": {}}, "follow_up.box"),
        ({"inbox": {"expires_after": 59}}, "follow_up.inbox.expires_after"),
        ({"inbox": {"expires_after": 10**8}}, "follow_up.inbox.expires_after"),
        ({"inbox": {"expires_after": True}}, "follow_up.inbox.expires_after"),
        ({"inbox": {"until": 60}}, "follow_up.inbox.until"),
        ({"inbox": 5}, "follow_up.inbox"),
        ({"track_clicks": "yes"}, "follow_up.track_clicks"),
        ({"track_clicks": True}, "follow_up.track_clicks"),
        ({"conversion": {"window": 60}}, "follow_up.conversion.event"),
        ({"conversion": {"event": "buy", "window": 1}}, "follow_up.conversion.window"),
        ({"conversion": {"event": "buy"}}, "follow_up.conversion.window"),
        ({"conversion": {"event": "buy", "window": 60, "amount": "total"}}, "follow_up.conversion.currency"),
        ({"conversion": {"event": "buy", "window": 60, "currency": "EUR"}}, "follow_up.conversion.currency"),
        ({"conversion": {"event": "buy", "window": 60, "amount": "x", "currency": "eur"}},
         "follow_up.conversion.currency"),
    ],
)  # fmt: skip
def test_what_cannot_follow_is_refused_with_its_place(raw: object, field: str) -> None:
    with pytest.raises(FollowUpInvalid) as refused:
        read_follow_up(raw, has_public_url=False)
    assert list(refused.value.fields) == [field]


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"inbox": {"expires_after": 60}, "track_clicks": True},
        {"conversion": {"event": "buy", "window": 60}},
        {"conversion": {"event": "buy", "window": 60, "amount": "total", "currency": "EUR"}},
    ],
)
def test_what_follows_is_stored_as_it_was_said(stored: dict[str, object]) -> None:
    assert read_follow_up(stored, has_public_url=True).to_json() == stored
    assert follow_up_of(stored).to_json() == stored
    assert read_follow_up({"inbox": {}}, has_public_url=True) == FollowUp(inbox_seconds=30 * 86_400)


def test_a_message_that_counts_clicks_carries_our_link(
    send: Callable[..., Message], network: Recorder, settings: object
) -> None:
    settings.PUBLIC_URL = "https://push.example"  # type: ignore[attr-defined]
    send(follow_up={"track_clicks": True})
    push = network.pushes[0]
    assert push.notification.url.startswith(f"https://push.example/c/{push.receipt}?u=https://shop.example/&s=")
