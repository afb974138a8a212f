"""Routes of the usage page."""

from django.urls import path

from apps.dashboard.usage import views

urlpatterns = [
    path("usage/", views.usage, name="usage"),
    path("usage/export.csv", views.usage_csv, name="usage-csv"),
]
