"""Routes of subscribers, imports and segments."""

from django.urls import path

from apps.dashboard.audience import category_views, import_views, segment_views, subscriber_views

urlpatterns = [
    path("subscribers/", subscriber_views.subscribers, name="subscriber-list"),
    path("subscribers/new/", subscriber_views.create, name="subscriber-create"),
    path("subscribers/export/", subscriber_views.export, name="subscriber-export"),
    path("subscribers/import/", import_views.upload, name="subscriber-import"),
    path("subscribers/import/<str:public_id>/", import_views.job, name="import"),
    path("subscribers/import/<str:public_id>/progress/", import_views.progress, name="import-progress"),
    path("subscribers/import/<str:public_id>/cancel/", import_views.cancel, name="import-cancel"),
    path("subscribers/import/<str:public_id>/report/", import_views.report, name="import-report"),
    path("subscribers/<str:public_id>/", subscriber_views.subscriber, name="subscriber"),
    path("subscribers/<str:public_id>/events/", subscriber_views.timeline, name="subscriber-timeline"),
    path("subscribers/<str:public_id>/disclosure/", subscriber_views.disclose, name="subscriber-disclosure"),
    path("subscribers/<str:public_id>/edit/", subscriber_views.edit, name="subscriber-edit"),
    path("subscribers/<str:public_id>/delete/", subscriber_views.delete, name="subscriber-delete"),
    path("categories/", category_views.categories, name="category-list"),
    path("categories/<str:public_id>/delete/", category_views.delete, name="category-delete"),
    path("segments/", segment_views.segments, name="segment-list"),
    path("segments/new/", segment_views.create, name="segment-create"),
    path("segments/estimate/", segment_views.estimate_rules, name="segment-estimate"),
    path("segments/<str:public_id>/", segment_views.edit, name="segment"),
    path("segments/<str:public_id>/size/", segment_views.size, name="segment-size"),
    path("segments/<str:public_id>/delete/", segment_views.delete, name="segment-delete"),
]
