"""The inbox: putting copies in, what a person does with them, recalling, and telling whoever is connected.

Nothing is published inside a transaction: verbs answer or leave a Note per person, and `tell` publishes after it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import orjson
from django.db import connection, transaction

from apps.audience.models import Subscriber
from apps.core import clock
from apps.messaging.models import InboxItem, InboxQuerySet, Message
from apps.messaging.receipts.following import follow_up_of
from apps.messaging.sending.slices import Slice
from apps.providers.payload import data_of
from apps.realtime.errors import BrokerUnavailable
from apps.realtime.events import new_publication_id
from apps.realtime.publish import UserMessage, publish_to_users
from apps.tenants.application_settings import ApplicationSettings
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope

log = logging.getLogger(__name__)

EVENT = "inbox"
MAX_IDS = 100
_SWEPT, _BATCH = 10_000, 1_000

# Who was erased meanwhile, and a message that was recalled meanwhile, get nothing.
_PUT = """
INSERT INTO messaging_inboxitem (tenant_id, subscriber_id, message_id, delivery_id, title, body, image_url, url, data,
                                 created_at, expires_at)
SELECT %(tenant)s, person.id, message.id, copy.delivery_id, copy.title, copy.body, copy.image_url, copy.url, copy.data,
    %(now)s, %(expires_at)s
FROM unnest(
    %(people)s::bigint[], %(deliveries)s::bigint[], %(titles)s::text[], %(bodies)s::text[], %(images)s::text[],
    %(urls)s::text[], %(data)s::jsonb[]
) AS copy (subscriber_id, delivery_id, title, body, image_url, url, data)
JOIN messaging_message message ON message.id = %(message)s AND message.inbox_recalled_at IS NULL
JOIN LATERAL (
    SELECT id FROM audience_subscriber WHERE tenant_id = %(tenant)s AND id = copy.subscriber_id FOR KEY SHARE
) person ON true
ON CONFLICT DO NOTHING
RETURNING subscriber_id
"""

_UNREAD = """
SELECT person.external_id, count(item.id) FILTER (WHERE message.id IS NOT NULL)
FROM audience_subscriber person
LEFT JOIN messaging_inboxitem item ON item.subscriber_id = person.id AND item.tenant_id = person.tenant_id
    AND item.read_at IS NULL AND item.archived_at IS NULL AND item.expires_at > %(now)s
LEFT JOIN messaging_message message ON message.id = item.message_id AND message.inbox_recalled_at IS NULL
WHERE person.tenant_id = %(tenant)s AND person.id = ANY(%(people)s) GROUP BY person.external_id
"""

_RECALLED = """
SELECT message.tenant_id, message.id FROM messaging_message message
WHERE message.inbox_recalled_at IS NOT NULL AND EXISTS (
    SELECT FROM messaging_inboxitem item WHERE item.tenant_id = message.tenant_id AND item.message_id = message.id
) LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Note:
    """What a connected person is told."""

    external_id: str
    unread: int


def put_copies(message: Message, made: Slice) -> list[Note]:
    """A copy for everybody the slice goes to, once per message; notes for those who got one now."""
    seconds = follow_up_of(message.follow_up).inbox_seconds
    if seconds is None or not made.ready:
        return []
    shown = [push.notification for push in made.pushes]
    now = clock.now()
    with connection.cursor() as cursor:
        cursor.execute(
            _PUT,
            {
                "tenant": message.tenant_id,
                "message": message.pk,
                "now": now,
                "expires_at": now + timedelta(seconds=seconds),
                "people": [delivery.subscriber for delivery in made.ready],
                "deliveries": [delivery.id for delivery in made.ready],
                "titles": [one.title for one in shown],
                "bodies": [one.body for one in shown],
                "images": [one.image_url for one in shown],
                "urls": [one.url for one in shown],
                "data": [orjson.dumps(data_of(one)).decode() for one in shown],
            },
        )
        fresh = [subscriber for (subscriber,) in cursor.fetchall()]
    return _notes(message.tenant_id, fresh)


def tell(tenant: Tenant, application: Application, notes: Sequence[Note]) -> None:
    """Publishes `inbox` with the count of unread items on each person's own channel. Outside of any transaction.

    Who is not connected, or misses it, finds the same count when they ask.
    """
    if not notes:
        return
    messages = [
        UserMessage(note.external_id, EVENT, orjson.dumps({"unread": note.unread}).decode(), new_publication_id())
        for note in notes
    ]
    try:
        publish_to_users(
            region=tenant.home_region,
            application_id=application.application_id,
            tenant_id=tenant.pk,
            messages=messages,
            rate=ApplicationSettings.from_json(application.settings).max_publishes_per_second,
        )
    except BrokerUnavailable:
        log.warning("inbox.not_told application=%s people=%d", application.application_id, len(notes))


def unread_count(*, person: Subscriber) -> int:
    return InboxItem.objects.shown_to(person).unread().count()


def read_items(*, person: Subscriber, ids: Sequence[str] | None) -> int:
    """Marks these public ids as read, or everything when None; what is not theirs is passed over. Answers unread."""
    _of(person, ids).unread().update(read_at=clock.now())
    return _changed(person)


def archive_items(*, person: Subscriber, ids: Sequence[str] | None) -> int:
    """Takes these, or everything, out of the inbox; archived items can still be listed. Answers what is unread."""
    _of(person, ids).update(archived_at=clock.now())
    return _changed(person)


def delete_item(*, person: Subscriber, item: InboxItem) -> int:
    InboxItem.objects.of(person.tenant_id).filter(subscriber=person, pk=item.pk).delete()
    return _changed(person)


def recall_copies(*, tenant: Tenant, message: Message) -> Message:
    """From now on the message is in nobody's inbox, and no copy is put there any more. Repeating it changes nothing."""
    assert message.tenant_id == tenant.pk
    if message.inbox_recalled_at is not None:
        return message
    return message.changed(inbox_recalled_at=clock.now())


def sweep_inboxes() -> None:
    """Deletes what has expired, and what was recalled, a bounded part at a time. Opens its own scopes."""
    with all_tenants(CrossTenantRole.DISPATCH), connection.cursor() as cursor:
        expired = InboxItem.objects.get_queryset().filter(expires_at__lte=clock.now())
        doomed = expired.order_by("expires_at").values("pk")[:_SWEPT]
        InboxItem.objects.get_queryset().filter(pk__in=doomed).delete()
        cursor.execute(_RECALLED, [_SWEPT // _BATCH])
        recalled = cursor.fetchall()
    for tenant_id, message_id in recalled:
        _sweep_recalled(tenant_id, message_id)


def _sweep_recalled(tenant_id: int, message_id: int) -> None:
    """A batch of one message's copies; whoever had one and is connected is told."""
    with tenant_scope(tenant_id):
        message = Message.objects.of(tenant_id).select_related("tenant", "application").get(pk=message_id)
        items = InboxItem.objects.of(tenant_id).filter(message=message)
        batch = dict(items.order_by("pk").values_list("pk", "subscriber_id")[:_BATCH])
        items.filter(pk__in=list(batch)).delete()
        notes = _notes(tenant_id, batch.values())
    tell(message.tenant, message.application, notes)


def _of(person: Subscriber, ids: Sequence[str] | None) -> InboxQuerySet:
    items = InboxItem.objects.of(person.tenant_id).filter(subscriber=person, archived_at=None)
    assert isinstance(items, InboxQuerySet)
    return items if ids is None else items.filter(pk__in=[InboxItem.number_of(public_id) for public_id in ids])


def _changed(person: Subscriber) -> int:
    """The other places where they are signed in hear of it after the commit."""
    unread = unread_count(person=person)
    application = Application.objects.of(person.tenant_id).select_related("tenant").get(pk=person.application_id)
    transaction.on_commit(partial(tell, application.tenant, application, [Note(person.external_id, unread)]))
    return unread


def _notes(tenant_id: int, subscribers: Iterable[int]) -> list[Note]:
    values: dict[str, Any] = {"tenant": tenant_id, "people": list(subscribers), "now": clock.now()}
    if not values["people"]:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_UNREAD, values)
        return [Note(*row) for row in cursor.fetchall()]
