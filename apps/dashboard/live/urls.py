"""Routes of the live page."""

from django.urls import path

from apps.dashboard.live import views

urlpatterns = [
    path("live/", views.live, name="live"),
    path("live/authorize", views.authorize, name="live-authorize"),
    path("live/authenticate", views.authenticate, name="live-authenticate"),
]
