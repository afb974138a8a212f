"""Routes of the debug console."""

from django.urls import path

from apps.dashboard.console import views

urlpatterns = [
    path("console/", views.console, name="console"),
    path("console/feed", views.feed, name="console-feed"),
    path("console/connection", views.connection, name="console-connection"),
    path("console/trail", views.trail, name="console-trail"),
    path("console/publish", views.publish_event, name="console-publish"),
]
