"""Routes of the landing page and the overview."""

from django.urls import path

from apps.dashboard.overview import views

urlpatterns = [
    path("", views.landing, name="landing"),
    path("overview/", views.overview, name="overview"),
    path("overview/figures", views.overview_figures, name="overview-figures"),
]
