"""Routes of a subscriber's own pages. The path is the one `apps.audience.preferences.path_of` tells."""

from django.urls import path

from apps.dashboard.public import views

urlpatterns = [
    path("p/<str:token>/", views.preferences, name="public-preferences"),
]
