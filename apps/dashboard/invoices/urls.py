"""Routes of the invoices."""

from django.urls import path

from apps.dashboard.invoices import views

urlpatterns = [
    path("invoices/", views.invoice_list, name="invoice-list"),
    path("invoices/preview/", views.invoice_preview, name="invoice-preview"),
    path("invoices/<str:invoice_id>/", views.invoice, name="invoice"),
    path("invoices/<str:invoice_id>/pay/", views.pay_invoice, name="invoice-pay"),
    path("invoices/<str:invoice_id>/invoice.pdf", views.invoice_as_pdf, name="invoice-pdf"),
    path("invoices/<str:invoice_id>/invoice.csv", views.invoice_as_csv, name="invoice-csv"),
    path("invoices/<str:invoice_id>/invoice.json", views.invoice_as_json, name="invoice-json"),
]
