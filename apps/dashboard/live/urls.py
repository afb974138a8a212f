"""Routes of the live page."""

from django.urls import path

from apps.dashboard.live import faults, phones, views

urlpatterns = [
    path("live/", views.live, name="live"),
    path("live/phones", phones.phones, name="phones"),
    path("live/phones/feed", phones.phones_feed, name="phones-feed"),
    path("live/phones/fault", faults.phones_fault, name="phones-fault"),
    path("live/phones/browser", phones.phones_browser, name="phones-browser"),
    path("live/authorize", views.authorize, name="live-authorize"),
    path("live/authenticate", views.authenticate, name="live-authenticate"),
]
