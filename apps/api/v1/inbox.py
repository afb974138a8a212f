"""`/api/v1/subscribers/{id}/inbox`: a person's in-app inbox; and taking a message back out of all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response

from apps.api.base import PAGE_PARAMETERS, ApiRequest, ApiView, BodySerializer
from apps.api.pagination import page_below
from apps.audience.models import Subscriber
from apps.campaigns.models import Campaign
from apps.campaigns.services import recall_campaign
from apps.messaging.errors import InboxRequestInvalid
from apps.messaging.models import InboxItem, Message
from apps.messaging.receipts.tokens import tokens_for
from apps.messaging.services.inbox import (
    MAX_IDS,
    archive_items,
    delete_item,
    read_items,
    recall_copies,
    unread_count,
)

_FILTERS = [
    OpenApiParameter("unread", bool, description="Only what is not read."),
    OpenApiParameter("archived", bool, description="What was archived, in place of what lies in the inbox."),
]


class InboxItemSerializer(serializers.Serializer[InboxItem]):
    id = serializers.CharField()
    message_id = serializers.CharField()
    title = serializers.CharField(allow_blank=True)
    body = serializers.CharField(allow_blank=True)
    image_url = serializers.CharField(allow_blank=True)
    url = serializers.CharField(allow_blank=True)
    data = serializers.DictField(  # type: ignore[assignment]  # a field, not the serializer's own property
        child=serializers.JSONField(allow_null=True)
    )
    receipt = serializers.CharField(help_text="The token to report with, as in a push.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True)
    archived_at = serializers.DateTimeField(allow_null=True)


class InboxPage(serializers.Serializer[Any]):
    data = InboxItemSerializer(many=True)  # type: ignore[assignment]
    next = serializers.CharField(allow_null=True)
    unread = serializers.IntegerField(help_text="In the whole inbox.")


class ChosenItems(BodySerializer):
    ids = serializers.ListField(child=serializers.CharField(), required=False, help_text="1 to 100 of `ibx_…`.")
    all = serializers.BooleanField(required=False, help_text="Everything that lies in the inbox.")


class UnreadSerializer(serializers.Serializer[Any]):
    unread = serializers.IntegerField(help_text="What is left unread.")


def item_as_told(item: InboxItem) -> dict[str, Any]:
    """Plain values of an InboxItemSerializer."""
    shown = ("title", "body", "image_url", "url", "data", "created_at", "expires_at", "read_at", "archived_at")
    (receipt,) = tokens_for(item.tenant_id, [item.delivery_id])
    return {
        "id": item.public_id,
        "message_id": Message(pk=item.message_id).public_id,
        "receipt": receipt,
        **{name: getattr(item, name) for name in shown},
    }


def chosen_ids(body: object) -> list[str] | None:
    """Public ids, or None for all. Raises InboxRequestInvalid."""
    if isinstance(body, dict) and body.get("all") is True and not body.get("ids"):
        return None
    ids = body.get("ids") if isinstance(body, dict) and not body.get("all") else None
    if not isinstance(ids, list) or not 0 < len(ids) <= MAX_IDS or not all(isinstance(one, str) for one in ids):
        raise InboxRequestInvalid(fields={"ids": [_("Name 1 to 100 items, or say “all”.")]})
    return ids


def _named(request: ApiRequest, external_id: str) -> Subscriber:
    return Subscriber.objects.in_application(request.application).named(external_id)


class SubscriberInbox(ApiView):
    permissions = {"GET": "audience.read"}

    @extend_schema(operation_id="list_inbox", parameters=[*_FILTERS, *PAGE_PARAMETERS], responses=InboxPage)
    def get(self, request: ApiRequest, external_id: str) -> Response:
        """What lies in the subscriber's inbox, newest first."""
        person = _named(request, external_id)
        items = InboxItem.objects.shown_to(person)
        if request.query_params.get("archived") == "true":
            items = InboxItem.objects.get_queryset().of(request.tenant).filter(
                subscriber=person, archived_at__isnull=False
            )  # fmt: skip
        if request.query_params.get("unread") == "true":
            items = items.unread()
        page, following = page_below(items, request.query_params)
        told: Any = {
            "data": [item_as_told(item) for item in page],
            "next": following,
            "unread": unread_count(person=person),
        }
        return Response(InboxPage(told).data)


class _InboxVerb(ApiView):
    permissions = {"POST": "audience.write"}
    verb: ClassVar[Callable[..., int]]

    def post(self, request: ApiRequest, external_id: str) -> Response:
        person = _named(request, external_id)
        ids = chosen_ids(self.body(ChosenItems))
        return Response({"unread": type(self).verb(person=person, ids=ids)})


@extend_schema(operation_id="read_inbox_items", request=ChosenItems, responses=UnreadSerializer)
class SubscriberInboxRead(_InboxVerb):
    """Marks items as read."""

    verb = staticmethod(read_items)


@extend_schema(operation_id="archive_inbox_items", request=ChosenItems, responses=UnreadSerializer)
class SubscriberInboxArchive(_InboxVerb):
    """Takes items out of the inbox and keeps them until they expire."""

    verb = staticmethod(archive_items)


class SubscriberInboxItem(ApiView):
    permissions = {"DELETE": "audience.write"}

    @extend_schema(operation_id="delete_inbox_item", responses={204: None})
    def delete(self, request: ApiRequest, external_id: str, inbox_item_id: str) -> Response:
        """Deletes an item for good."""
        person = _named(request, external_id)
        item = InboxItem.objects.of(request.tenant).filter(subscriber=person).access(inbox_item_id)
        delete_item(person=person, item=item)
        return Response(status=status.HTTP_204_NO_CONTENT)


class MessageRecall(ApiView):
    permissions = {"POST": "campaigns.send"}

    @extend_schema(operation_id="recall_message", request=None, responses={204: None})
    def post(self, request: ApiRequest, message_id: str) -> Response:
        """Takes the message out of every inbox, at once, and web pushes that still wait back from their services. What
        another network has cannot be taken back."""
        messages = Message.objects.of(request.tenant).filter(application=request.application)
        recall_copies(tenant=request.tenant, message=messages.access(message_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class CampaignRecall(ApiView):
    permissions = {"POST": "campaigns.send"}

    @extend_schema(operation_id="recall_campaign", request=None, responses={204: None})
    def post(self, request: ApiRequest, campaign_id: str) -> Response:
        """Takes the campaign's messages out of every inbox, at once, and web pushes that still wait back from their
        services. What another network has cannot be taken back."""
        campaigns = Campaign.objects.of(request.tenant).filter(application=request.application)
        recall_campaign(tenant=request.tenant, campaign=campaigns.access(campaign_id))
        return Response(status=status.HTTP_204_NO_CONTENT)
