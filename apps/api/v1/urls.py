"""Routes of version 1. A parameter is named for what it identifies: `subscriber_id`, `campaign_id`."""

from django.urls import URLPattern, URLResolver, path

from apps.api.v1 import api_keys, applications, campaigns, devices, messages, segments, subscribers, templates, usage

urlpatterns: list[URLPattern | URLResolver] = [
    path("me", applications.Me.as_view()),
    path("api-keys", api_keys.ApiKeyList.as_view()),
    path("api-keys/<str:api_key_id>", api_keys.ApiKeyDetail.as_view()),
    path("subscribers", subscribers.SubscriberList.as_view()),
    path("subscribers/bulk", subscribers.SubscriberBulk.as_view()),
    path("subscribers/<str:external_id>", subscribers.SubscriberDetail.as_view()),
    path("devices", devices.DeviceList.as_view()),
    path("devices/<str:device_id>", devices.DeviceDetail.as_view()),
    path("segments", segments.SegmentList.as_view()),
    path("segments/estimate", segments.RulesEstimate.as_view()),
    path("segments/<str:segment_id>", segments.SegmentDetail.as_view()),
    path("segments/<str:segment_id>/estimate", segments.SegmentEstimate.as_view()),
    path("applications", applications.ApplicationList.as_view()),
    path("applications/<str:application_id>", applications.ApplicationDetail.as_view()),
    path("usage", usage.Usage.as_view()),
    path("templates", templates.TemplateList.as_view()),
    path("templates/<str:template_id>", templates.TemplateDetail.as_view()),
    path("messages", messages.MessageList.as_view()),
    path("messages/<str:message_id>", messages.MessageDetail.as_view()),
    path("messages/<str:message_id>/deliveries", messages.MessageDeliveries.as_view()),
    path("campaigns", campaigns.CampaignList.as_view()),
    path("campaigns/<str:campaign_id>", campaigns.CampaignDetail.as_view()),
    path("campaigns/<str:campaign_id>/schedule", campaigns.CampaignSchedule.as_view()),
    path("campaigns/<str:campaign_id>/pause", campaigns.CampaignPause.as_view()),
    path("campaigns/<str:campaign_id>/resume", campaigns.CampaignResume.as_view()),
    path("campaigns/<str:campaign_id>/cancel", campaigns.CampaignCancel.as_view()),
    path("campaigns/<str:campaign_id>/simulate", campaigns.CampaignSimulate.as_view()),
    path("campaigns/<str:campaign_id>/preview", campaigns.CampaignPreview.as_view()),
    path("campaigns/<str:campaign_id>/deliveries", campaigns.CampaignDeliveries.as_view()),
]
