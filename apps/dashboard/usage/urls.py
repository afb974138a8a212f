"""Routes of the usage page."""

from django.urls import path

from apps.dashboard.usage import application_limits, limits, views

urlpatterns = [
    path("usage/", views.usage, name="usage"),
    path("usage/export.csv", views.usage_csv, name="usage-csv"),
    path("usage/limits/", limits.limits, name="usage-limits"),
    path("usage/limits/change", limits.limits_change, name="usage-limits-change"),
    path(
        "applications/<str:public_id>/usage-limits/",
        application_limits.application_limits,
        name="application-limits",
    ),
    path(
        "applications/<str:public_id>/usage-limits/change",
        application_limits.application_limits_change,
        name="application-limits-change",
    ),
]
