"""Health, readiness, metrics, and what payment processors tell."""

from django.urls import path

from apps.operations import payments, views

app_name = "operations"
urlpatterns = [
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", views.metrics_page, name="metrics"),
    path("payments/notice", payments.notice, name="payment-notice"),
]
