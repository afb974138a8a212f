"""Routes of the audit log."""

from django.urls import path

from apps.dashboard.audit import views

urlpatterns = [
    path("audit/", views.audit, name="audit"),
    path("audit/export.csv", views.audit_csv, name="audit-csv"),
]
