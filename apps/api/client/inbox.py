"""`/client/inbox`: the inbox of the subscriber whose token the call carries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest

from apps.api.client.door import body_of, client_door
from apps.api.client.subscribers import signed_in
from apps.api.pagination import page_below
from apps.api.v1.inbox import chosen_ids, item_as_told
from apps.messaging.models import InboxItem
from apps.messaging.services.inbox import archive_items, delete_item, read_items, unread_count

_MAX_BODY = 8 * 1024


def _list(request: HttpRequest) -> dict[str, Any]:
    with signed_in(request) as person:
        items, following = page_below(InboxItem.objects.shown_to(person), request.GET)
        return {
            "data": [item_as_told(item) for item in items],
            "next": following,
            "unread": unread_count(person=person),
        }


def _verb(change: Callable[..., int]) -> Callable[[HttpRequest], dict[str, int]]:
    def answered(request: HttpRequest) -> dict[str, int]:
        with signed_in(request) as person:
            return {"unread": change(person=person, ids=chosen_ids(body_of(request, limit=_MAX_BODY)))}

    return answered


def _delete(request: HttpRequest, inbox_item_id: str) -> dict[str, int]:
    with signed_in(request) as person:
        theirs = InboxItem.objects.of(person.tenant_id).filter(subscriber=person)
        return {"unread": delete_item(person=person, item=theirs.access(inbox_item_id))}


items = client_door(GET=_list)
read = client_door(POST=_verb(read_items))
archive = client_door(POST=_verb(archive_items))
item = client_door(DELETE=_delete)
