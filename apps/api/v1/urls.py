"""Routes of version 1. A parameter is named for what it identifies: `subscriber_id`, `campaign_id`."""

from django.urls import URLPattern, URLResolver, path

from apps.api.v1 import api_keys, applications, segments, subscribers, usage

urlpatterns: list[URLPattern | URLResolver] = [
    path("me", applications.Me.as_view()),
    path("api-keys", api_keys.ApiKeyList.as_view()),
    path("api-keys/<str:api_key_id>", api_keys.ApiKeyDetail.as_view()),
    path("subscribers", subscribers.SubscriberList.as_view()),
    path("subscribers/bulk", subscribers.SubscriberBulk.as_view()),
    path("subscribers/<str:external_id>", subscribers.SubscriberDetail.as_view()),
    path("segments", segments.SegmentList.as_view()),
    path("segments/estimate", segments.RulesEstimate.as_view()),
    path("segments/<str:segment_id>", segments.SegmentDetail.as_view()),
    path("segments/<str:segment_id>/estimate", segments.SegmentEstimate.as_view()),
    path("applications", applications.ApplicationList.as_view()),
    path("applications/<str:application_id>", applications.ApplicationDetail.as_view()),
    path("usage", usage.Usage.as_view()),
]
