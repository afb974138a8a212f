"""`/api/v1/preference-categories`, and `/api/v1/subscribers/{id}/preferences`: what people want to hear about."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response

from apps.api.base import PAGE_PARAMETERS, ApiRequest, ApiView, BodySerializer, page_of
from apps.audience.models import PreferenceCategory, Subscriber
from apps.audience.preferences import path_of
from apps.audience.services.preferences import (
    Preferences,
    categories_of,
    change_category,
    create_category,
    delete_category,
    preferences_of,
    set_preferences,
)

_NAMES_HELP = 'Language -> what people read, as in `{"en": "News", "zh-Hans": "新闻"}`.'


class CategorySerializer(serializers.Serializer[PreferenceCategory]):
    id = serializers.CharField(source="public_id")
    key = serializers.CharField()
    names = serializers.DictField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class CategoryChanges(BodySerializer):
    names = serializers.JSONField(help_text=_NAMES_HELP)


class CategoryBody(CategoryChanges):
    key = serializers.CharField(help_text="1 to 40 small letters, digits, `-` or `_`. It never changes.")


class PreferencesBody(BodySerializer):
    unsubscribed = serializers.BooleanField(required=False, help_text="Wants nothing at all.")
    categories = serializers.DictField(
        child=serializers.BooleanField(), required=False, help_text="Key -> whether it is wanted. Others stay."
    )


class PreferencesSerializer(serializers.Serializer[Any]):
    unsubscribed = serializers.BooleanField()
    categories = serializers.DictField(child=serializers.BooleanField(), help_text="Key -> whether it is wanted.")
    url = serializers.CharField(help_text="The person's own page. A POST to it unsubscribes with one click (RFC 8058).")


class CategoryList(ApiView):
    permissions = {"GET": "audience.read", "POST": "audience.write"}

    @extend_schema(
        operation_id="list_preference_categories", parameters=PAGE_PARAMETERS, responses=page_of(CategorySerializer)
    )
    def get(self, request: ApiRequest) -> Response:
        """The application's categories, newest first."""
        return self.paginate(categories_of(request.application), CategorySerializer)

    @extend_schema(operation_id="create_preference_category", request=CategoryBody, responses={201: CategorySerializer})
    def post(self, request: ApiRequest) -> Response:
        """Makes a kind of message that people may do without."""
        body = self.body(CategoryBody)
        made = create_category(tenant=request.tenant, application=request.application, **body)
        return Response(CategorySerializer(made).data, status=status.HTTP_201_CREATED)


class CategoryDetail(ApiView):
    permissions = {"GET": "audience.read", "PATCH": "audience.write", "DELETE": "audience.write"}

    @extend_schema(operation_id="get_preference_category", responses=CategorySerializer)
    def get(self, request: ApiRequest, category_id: str) -> Response:
        """One category."""
        return Response(CategorySerializer(categories_of(request.application).access(category_id)).data)

    @extend_schema(operation_id="change_preference_category", request=CategoryChanges, responses=CategorySerializer)
    def patch(self, request: ApiRequest, category_id: str) -> Response:
        """Replaces the names."""
        known = categories_of(request.application).access(category_id)
        changed = change_category(tenant=request.tenant, category=known, names=self.body(CategoryChanges)["names"])
        return Response(CategorySerializer(changed).data)

    @extend_schema(operation_id="delete_preference_category", responses={204: None})
    def delete(self, request: ApiRequest, category_id: str) -> Response:
        """Removes the category and what people said about it."""
        known = categories_of(request.application).access(category_id)
        delete_category(tenant=request.tenant, category=known)
        return Response(status=status.HTTP_204_NO_CONTENT)


class SubscriberPreferences(ApiView):
    permissions = {"GET": "audience.read", "PATCH": "audience.write"}

    @extend_schema(operation_id="get_subscriber_preferences", responses=PreferencesSerializer)
    def get(self, request: ApiRequest, external_id: str) -> Response:
        """What the subscriber wants, and the link to their own page."""
        person = Subscriber.objects.in_application(request.application).named(external_id)
        return _answer(request, person, preferences_of(person=person))

    @extend_schema(
        operation_id="change_subscriber_preferences", request=PreferencesBody, responses=PreferencesSerializer
    )
    def patch(self, request: ApiRequest, external_id: str) -> Response:
        """Changes what is given."""
        person = Subscriber.objects.in_application(request.application).named(external_id)
        body = self.body(PreferencesBody)
        current = set_preferences(
            tenant=request.tenant, person=person, source="api",
            unsubscribed=body.get("unsubscribed"), wanted=body.get("categories"),
        )  # fmt: skip
        return _answer(request, person, current)


def _answer(request: ApiRequest, person: Subscriber, current: Preferences) -> Response:
    path = path_of(person)
    url = f"{settings.PUBLIC_URL}{path}" if settings.PUBLIC_URL else request.build_absolute_uri(path)
    shown: Any = {"unsubscribed": current.unsubscribed, "categories": current.wanted, "url": url}
    return Response(PreferencesSerializer(shown).data)
