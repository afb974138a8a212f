"""Routes of webhooks."""

from django.urls import path

from apps.dashboard.webhooks import deliveries, views

urlpatterns = [
    path("webhooks/", views.webhook_list, name="webhook-list"),
    path("webhooks/new", views.webhook_create, name="webhook-create"),
    path("webhooks/<str:public_id>/", deliveries.webhook, name="webhook"),
    path("webhooks/<str:public_id>/edit", views.webhook_edit, name="webhook-edit"),
    path("webhooks/<str:public_id>/delete", views.webhook_delete, name="webhook-delete"),
    path("webhooks/<str:public_id>/secret", views.webhook_secret, name="webhook-secret"),
    path("webhooks/<str:public_id>/test", deliveries.webhook_test, name="webhook-test"),
    path("webhooks/<str:public_id>/replay", deliveries.webhook_replay, name="webhook-replay"),
    path("webhooks/<str:public_id>/<str:delivery_id>/", deliveries.webhook_delivery, name="webhook-delivery"),
    path(
        "webhooks/<str:public_id>/<str:delivery_id>/replay",
        deliveries.webhook_delivery_replay,
        name="webhook-delivery-replay",
    ),
]
