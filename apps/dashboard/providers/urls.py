"""Routes of the accounts with push networks."""

from django.urls import path

from apps.dashboard.providers import actions, views

urlpatterns = [
    path("provider-credentials/", views.provider_list, name="provider-list"),
    path("provider-credentials/new", views.provider_create, name="provider-create"),
    path("provider-credentials/<str:public_id>/", views.provider, name="provider"),
    path("provider-credentials/<str:public_id>/replace", views.provider_replace, name="provider-replace"),
    path("provider-credentials/<str:public_id>/resume", actions.provider_resume, name="provider-resume"),
    path("provider-credentials/<str:public_id>/remove", actions.provider_remove, name="provider-remove"),
    path("provider-credentials/<str:public_id>/test", actions.provider_test, name="provider-test"),
]
