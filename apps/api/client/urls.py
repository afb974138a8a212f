"""Routes for clients. The short ones travel in pushes and must never change."""

from django.urls import path

from apps.api.client import inbox, receipts

app_name = "client"
urlpatterns = [
    path("r", receipts.report, name="receipts"),
    path("r/<str:vendor>", receipts.vendor_reports, name="vendor-receipts"),
    path("c/<str:token>", receipts.follow, name="click"),
    path("client/inbox", inbox.items, name="inbox"),
    path("client/inbox/read", inbox.read, name="inbox-read"),
    path("client/inbox/archive", inbox.archive, name="inbox-archive"),
    path("client/inbox/<str:inbox_item_id>", inbox.item, name="inbox-item"),
]
