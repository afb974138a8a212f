"""Routes for clients. The short ones travel in pushes and must never change."""

from django.urls import path

from apps.api.client import receipts

app_name = "client"
urlpatterns = [
    path("r", receipts.report, name="receipts"),
    path("r/<str:vendor>", receipts.vendor_reports, name="vendor-receipts"),
    path("c/<str:token>", receipts.follow, name="click"),
]
