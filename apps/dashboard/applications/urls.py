"""Routes of applications and their keys."""

from django.urls import path

from apps.dashboard.applications import keys, oauth_clients, views

urlpatterns = [
    path("applications/", views.application_list, name="application-list"),
    path("applications/new", views.application_create, name="application-create"),
    path("applications/<str:public_id>/", views.application, name="application"),
    path("applications/<str:public_id>/settings", views.application_settings, name="application-settings"),
    path("applications/<str:public_id>/credentials", keys.credential_add, name="credential-add"),
    path(
        "applications/<str:public_id>/credentials/<str:credential_id>/revoke",
        keys.credential_revoke,
        name="credential-revoke",
    ),
    path("applications/<str:public_id>/api-keys/new", keys.api_key_create, name="api-key-create"),
    path("applications/<str:public_id>/api-keys/<str:key_id>/revoke", keys.api_key_revoke, name="api-key-revoke"),
    path(
        "applications/<str:public_id>/oauth-clients/new",
        oauth_clients.oauth_client_create,
        name="oauth-client-create",
    ),
    path(
        "applications/<str:public_id>/oauth-clients/<str:client_id>/revoke",
        oauth_clients.oauth_client_revoke,
        name="oauth-client-revoke",
    ),
]
