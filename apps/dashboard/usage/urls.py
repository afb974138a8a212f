"""Routes of the usage page."""

from django.urls import path

from apps.dashboard.usage import limits, views

urlpatterns = [
    path("usage/", views.usage, name="usage"),
    path("usage/export.csv", views.usage_csv, name="usage-csv"),
    path("usage/limits/", limits.limits, name="usage-limits"),
    path("usage/limits/change", limits.limits_change, name="usage-limits-change"),
]
