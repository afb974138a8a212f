"""Routes of the debug console."""

from django.urls import path

from apps.dashboard.console import views

urlpatterns = [
    path("console/", views.console, name="console"),
    path("console/feed", views.feed, name="console-feed"),
    path("console/publish", views.publish_event, name="console-publish"),
]
